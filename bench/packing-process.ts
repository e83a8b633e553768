/** One measurement of packing.ts, in a process whose peak memory is its own. Prints a line of JSON. */
import { join } from 'node:path';
import { parseModelConfig } from '@oneround/lora/architecture';
import { loadCausalLm } from '@oneround/lora/loading';
import { type Packing, readAcross } from '@oneround/lora/packing';
import { selectBackend } from '@oneround/lora/evaluation';
import {
  openCheckpoint,
  packFolder,
  readFileRange,
  readJson,
  readPackedManifest,
} from '../apps/server/src/model/index.ts';

const [task, folder, packing, out] = process.argv.slice(2) as ['pack' | 'load', string, Packing, string];
if (task === 'load') await selectBackend('wasm');
const started = performance.now();
if (task === 'pack') await packFolder(folder, await openCheckpoint(folder), { packing, out });
else await load();
const seconds = (performance.now() - started) / 1000;
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
console.log(JSON.stringify({ seconds, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakBytes: maxRSS * 1024 }));
process.exit(0);

async function load(): Promise<void> {
  const { weights, bytes } = await readPackedManifest(folder);
  const read = readAcross(
    weights.map((shard) => shard.bytes),
    (index, offset, length) => readFileRange(join(folder, 'shards', weights[index]!.sha256), offset, length),
  );
  await loadCausalLm(parseModelConfig(readJson(folder, 'config.json')), read, bytes);
}
