/** A server is killed again and again while volunteers upload: what was lost, and what it cost. Fails when harm was done. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SeededRandom } from '@oneround/fl-core';
import { harmDone, killAtRandom, runChaos, type ChaosReport } from '../apps/server/src/testing/chaos/index.ts';
import { ServerProcess } from '../apps/server/src/testing/server-process.ts';
import { makeTestCampaign, smallAdapter } from '../apps/server/src/testing/test-campaign.ts';

const VOLUNTEERS = 8;
const KILLS = 15;
const SEED = 20261121;
/** Longer than any restart of a busy machine takes. */
const lease = { ttlMs: 120_000, heartbeatMs: 5000 };
const oneround = fileURLToPath(new URL('../apps/server/bin/oneround.mjs', import.meta.url));

export async function benchChaos(): Promise<void> {
  const campaign = makeTestCampaign({ adapter: smallAdapter, lease }, { records: 832, shards: 832 });
  const server = await ServerProcess.prepare({ campaignFile: campaign.file, dataDir: campaign.dataDir });
  try {
    server.start();
    await server.untilServing();
    let startTimes: number[] = [];
    const began = performance.now();
    const report = await runChaos({
      urls: [server.url],
      volunteers: VOLUNTEERS,
      seed: SEED,
      faults: async () => {
        startTimes = await killAtRandom([server], {
          kills: KILLS,
          random: new SeededRandom(SEED),
          longestLifeMs: 5000,
        });
      },
    });
    const seconds = (performance.now() - began) / 1000;
    await server.end('SIGTERM');
    console.log(`  ${VOLUNTEERS} volunteers, ${KILLS} kills in ${seconds.toFixed(0)} s, seed ${SEED}`);
    printReport(report);
    console.log(`  slowest start ${(Math.max(...startTimes) / 1000).toFixed(1)} s`);
    printVerified([campaign.dataDir]);
    printHarm(harmDone(report));
    if (server.output !== '') console.log(`  the server wrote:\n${server.output}`);
  } finally {
    await server.end();
    campaign.remove();
  }
}

/** What volunteers were promised and what became of it, and what it cost. */
export function printReport(report: ChaosReport): void {
  const { acknowledged, lost, resumed, rewound, repeatedReceipts, resentShare, sha256, versions } = report;
  console.log(`  acknowledged ${acknowledged}, lost ${lost}, in ${versions} versions`);
  console.log(
    `  uploads resumed ${resumed}, from before what was acknowledged ${rewound}; leases lost ${report.lostLeases}`,
  );
  console.log(`  bytes sent twice ${(100 * resentShare).toFixed(2)} %, receipts repeated ${repeatedReceipts}`);
  console.log(`  published ${sha256.published}\n  replayed  ${sha256.replayed} (shuffled, whole numbers)`);
}

/** Prints each promise that was broken; with one, the bench fails. */
export function printHarm(sentences: readonly string[]): void {
  for (const sentence of sentences) console.log(`  HARM: ${sentence}`);
  if (sentences.length > 0) process.exitCode = 1;
}

/** What is wrong with how a server ended on SIGTERM, and with what it wrote in all its lives: its log warns of nothing good. */
export function harmAtEnd(exitCode: number | null, output: string): string[] {
  const harm = exitCode === 0 ? [] : [`the server ended with ${exitCode} instead of 0`];
  return output === '' ? harm : [...harm, 'the server warned, failed or rejected'];
}

/** Runs `oneround verify` and prints what it says; it is harm when the ledger is not as recorded. */
export function printVerified(ledger: string[]): void {
  const verify = spawnSync(process.execPath, [oneround, 'verify', ...ledger], { encoding: 'utf8' });
  console.log(`  oneround verify: exit ${verify.status}, ${(verify.stdout || verify.stderr).trim()}`);
  if (verify.status !== 0) printHarm(['the ledger cannot be verified']);
}
