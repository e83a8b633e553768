/** A Llama folder of any size with pseudo-random BF16 weights, cut in two indexed files: for what only depends on size. */
import { mkdirSync, openSync, closeSync, writeSync, writeFileSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SeededRandom } from '@oneround/fl-core';
import { parseModelConfig, tensorShapes } from '@oneround/lora/architecture';
import { bytesOf, encodeSafetensorsHeader } from '@oneround/lora/checkpoint';

/** Written again and again; a prime number of values, so that rows differ. */
const BLOCK_VALUES = 4_194_301;
const tiny = fileURLToPath(new URL('../models/tiny/', import.meta.url));

/** Writes the folder; the tokeniser is that of models/tiny. Returns the bytes of its weights. */
export function writeSyntheticModel(folder: string, config: Record<string, unknown>): number {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) copyFileSync(join(tiny, name), join(folder, name));
  const tensors = [...tensorShapes(parseModelConfig(config))].map(([name, shape]) => ({
    name,
    dtype: 'BF16' as const,
    shape,
  }));
  const block = randomBlock();
  const half = Math.ceil(tensors.length / 2);
  const weightMap: Record<string, string> = {};
  let bytes = 0;
  for (const [index, part] of [tensors.slice(0, half), tensors.slice(half)].entries()) {
    const file = `model-0000${index + 1}-of-00002.safetensors`;
    for (const { name } of part) weightMap[name] = file;
    const descriptor = openSync(join(folder, file), 'w');
    writeSync(descriptor, encodeSafetensorsHeader(part));
    const size = part.reduce((sum, { dtype, shape }) => sum + bytesOf(dtype, shape), 0);
    for (let left = size; left > 0;) left -= writeSync(descriptor, block, 0, Math.min(left, block.byteLength));
    closeSync(descriptor);
    bytes += size;
  }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
  return bytes;
}

/** BF16 values of a bell shape with a standard deviation of about 0.02. */
function randomBlock(): Uint8Array {
  const random = new SeededRandom(1);
  const values = Float32Array.from({ length: BLOCK_VALUES }, () => {
    let sum = -2;
    for (let i = 0; i < 4; i++) sum += random.nextUnit();
    return sum * 0.035;
  });
  return new Uint8Array(Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16).buffer);
}
