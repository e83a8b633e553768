/**
 * One round against many, on one system: the default campaign's volunteers spend the same local epochs in one contribution
 * each, or in several rounds with FedAvg, FedAdam or FedYogi on the server. Two arms run side by side, a core each.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { roundsSchema } from '@oneround/fl-core';
import { campaign } from '../default-campaign/volunteers.ts';
import type { Arm, ArmResult } from './arm.ts';
import { header, line } from './table.ts';

const launcher = fileURLToPath(new URL('../../scripts/run.mjs', import.meta.url));
const program = fileURLToPath(new URL('./arm-process.ts', import.meta.url));

/** Flags: `--epochs`, local, of each client, all rounds together; `--rounds`; `--server-rates`, for FedAdam and FedYogi. */
export async function benchRounds(flags: string[]): Promise<void> {
  const { values } = parseArgs({
    args: flags,
    options: {
      epochs: { type: 'string', default: '12' },
      rounds: { type: 'string', default: '3' },
      'server-rates': { type: 'string', default: '0.03' },
    },
  });
  const rates = values['server-rates'].split(',').map(Number);
  const waiting = armsOf(Number(values.epochs), Number(values.rounds), rates);
  const results: ArmResult[] = [];
  const work = async () => {
    for (let arm = waiting.shift(); arm; arm = waiting.shift()) results.push(await run(arm));
  };
  const order = waiting.map(({ name }) => name);
  await Promise.all([work(), work()]);
  console.log(header());
  for (const name of order) console.log(line(results.find(({ arm }) => arm.name === name)!));
}

/** @throws RangeError when the rounds do not share the epochs evenly */
function armsOf(epochs: number, count: number, rates: number[]): Arm[] {
  if (epochs % count !== 0) throw new RangeError(`${epochs} epochs cannot be shared evenly by ${count} rounds`);
  const rounds = (optimiser: object) => roundsSchema.parse({ count, contributions: campaign.data.shards, optimiser });
  const share = { epochs: epochs / count };
  return [
    { name: `one round of ${epochs} epochs`, epochs },
    { ...share, name: `${count} rounds of ${share.epochs}, FedAvg`, rounds: rounds({ kind: 'fed-avg' }) },
    ...rates.flatMap((learningRate) => [
      {
        ...share,
        name: `${count} rounds of ${share.epochs}, FedAdam ${learningRate}`,
        rounds: rounds({ kind: 'fed-adam', learningRate }),
      },
      {
        ...share,
        name: `${count} rounds of ${share.epochs}, FedYogi ${learningRate}`,
        rounds: rounds({ kind: 'fed-yogi', learningRate }),
      },
    ]),
  ];
}

/** @throws Error when the process fails; what it prints before its result is printed here */
async function run(arm: Arm): Promise<ArmResult> {
  const child = spawn(process.execPath, [launcher, program, JSON.stringify(arm)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let last = '';
  for await (const text of createInterface(child.stdout)) {
    if (last !== '') console.log(`  ${last}`);
    last = text;
  }
  if (!last.startsWith('{')) throw new Error(`the arm "${arm.name}" ended without a result`);
  return JSON.parse(last) as ArmResult;
}
