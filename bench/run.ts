/**
 * `npm run bench [-- name ... | -- name --flag ...]`: prints the figures the project stands by. Nothing here passes or
 * fails, but for `step`, whose contenders must compute the same, and for `chaos`, `chaos-servers`, `fuzz` and `merges`, which may
 * do no harm.
 */
import { cpus } from 'node:os';
import { benchAttacks } from './attacks/index.ts';
import { benchChaosServers } from './chaos-servers.ts';
import { benchChaos } from './chaos.ts';
import { benchFold } from './fold.ts';
import { benchFuzz } from './fuzz.ts';
import { benchGeneration } from './generation.ts';
import { benchLoad } from './load/index.ts';
import { benchMemory } from './memory.ts';
import { benchMergeLatency } from './merge-latency.ts';
import { benchMerges } from './merges.ts';
import { benchModelDownload } from './model-download.ts';
import { benchStep } from './step/index.ts';
import { benchText } from './text.ts';
import { benchPacking } from './packing.ts';
import { benchRounds } from './rounds/index.ts';
import { benchRules } from './rules/index.ts';
import { benchTraffic } from './traffic.ts';
import { benchTrainingStep } from './training-step.ts';

const benches: Record<string, (flags: string[]) => Promise<void> | void> = {
  'training-step': benchTrainingStep,
  generation: benchGeneration,
  fold: benchFold,
  'merge-latency': benchMergeLatency,
  text: benchText,
  traffic: benchTraffic,
  'model-download': benchModelDownload,
  packing: benchPacking,
  step: benchStep,
  memory: benchMemory,
  chaos: benchChaos,
  'chaos-servers': benchChaosServers,
  attacks: benchAttacks,
  rounds: benchRounds,
  rules: benchRules,
  fuzz: benchFuzz,
  merges: benchMerges,
  load: benchLoad,
};

const given = process.argv.slice(2);
const firstFlag = given.findIndex((argument) => argument.startsWith('--'));
const wanted = firstFlag < 0 ? given : given.slice(0, firstFlag);
const flags = given.slice(wanted.length);
const unknown = wanted.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  console.error(`no bench called ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`);
  process.exit(1);
}
if (flags.length > 0 && wanted.length !== 1) {
  console.error(`${flags[0]} must follow the name of one bench`);
  process.exit(1);
}
console.log(
  `${new Date().toISOString()}, Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`,
);
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n${name}`);
  await bench(flags);
}
// The WebGPU binding keeps Node alive.
process.exit();
