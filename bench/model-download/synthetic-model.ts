/** A packed model of any size that nobody trained: valid headers and shards, made-up weights. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FileRef } from '@oneround/fl-core';
import { type Dtype, encodeSafetensorsHeader } from '@oneround/lora/checkpoint';
import { cutStream, shardBytes } from '@oneround/lora/packing';

const HIDDEN = 2048;
const VOCABULARY = 32_000;
const LAYER_BYTES = 2 * HIDDEN * (4 * HIDDEN);

/** Writes the shards of an f16 model of at least `leastBytes` into `folder`, each named by its SHA-256. */
export async function writeSyntheticModel(folder: string, leastBytes: number): Promise<FileRef[]> {
  const tensors: { name: string; dtype: Dtype; shape: number[] }[] = [
    { name: 'embedding', dtype: 'F16', shape: [VOCABULARY, HIDDEN] },
  ];
  const embeddingBytes = 2 * VOCABULARY * HIDDEN;
  for (let layer = 0; layer * LAYER_BYTES < leastBytes - embeddingBytes; layer++) {
    tensors.push({ name: `layer.${layer}`, dtype: 'F16', shape: [4 * HIDDEN, HIDDEN] });
  }
  const header = encodeSafetensorsHeader(tensors, { 'oneround.packing': 'f16' });
  const bytes = header.byteLength + tensors.reduce((sum, { shape }) => sum + 2 * shape[0]! * shape[1]!, 0);
  const files: FileRef[] = [];
  for await (const shard of cutStream(contents(header, bytes), shardBytes(bytes))) {
    const sha256 = createHash('sha256').update(shard).digest('hex');
    writeFileSync(join(folder, sha256), shard);
    files.push({ path: `model.${files.length}`, bytes: shard.byteLength, sha256 });
  }
  return files;
}

/** The header and pseudo-random binary16 values below 2 (xorshift32 with the highest exponent bit cleared). */
async function* contents(header: Uint8Array, bytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  yield header;
  let state = 0x9e3779b9;
  for (let left = (bytes - header.byteLength) / 4; left > 0;) {
    const words = new Uint32Array(Math.min(left, 2 ** 20));
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state & 0xbfffbfff;
    }
    yield new Uint8Array(words.buffer);
    left -= words.length;
  }
}
