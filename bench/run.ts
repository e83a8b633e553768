/** `npm run bench [-- name ...]`: prints the figures the project stands by. Nothing here passes or fails. */
import { cpus } from 'node:os';
import { benchFold } from './fold.ts';
import { benchGeneration } from './generation.ts';
import { benchMergeLatency } from './merge-latency.ts';
import { benchModelDownload } from './model-download.ts';
import { benchText } from './text.ts';
import { benchPacking } from './packing.ts';
import { benchTraffic } from './traffic.ts';
import { benchTrainingStep } from './training-step.ts';

const benches: Record<string, () => Promise<void> | void> = {
  'training-step': benchTrainingStep,
  generation: benchGeneration,
  fold: benchFold,
  'merge-latency': benchMergeLatency,
  text: benchText,
  traffic: benchTraffic,
  'model-download': benchModelDownload,
  packing: benchPacking,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  console.error(`no bench called ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`);
  process.exit(1);
}
console.log(
  `${new Date().toISOString()}, Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`,
);
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n${name}`);
  await bench();
}
// The WebGPU binding keeps Node alive.
process.exit(0);
