/** A checkpoint packed in memory. */
import { checkTensors, type ModelConfig } from '../architecture/index.ts';
import type { ReadRange, TensorEntry } from '../checkpoint/index.ts';
import { type Packing, packTensors } from '../packing/index.ts';

/** The file that `oneround model add` would write, and its size. */
export async function packedFile(
  config: ModelConfig,
  tensors: ReadonlyMap<string, TensorEntry>,
  packing: Packing,
): Promise<{ read: ReadRange; bytes: number }> {
  const sources = [...checkTensors(config, tensors)].map(([tensor, { shape, values }]) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return [tensor, { dtype: 'F32' as const, shape, read: rangesOf(bytes) }] as const;
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of packTensors(new Map(sources), packing).chunks) chunks.push(chunk);
  const file = Buffer.concat(chunks);
  return { read: rangesOf(file), bytes: file.byteLength };
}

function rangesOf(file: Uint8Array): ReadRange {
  return async (offset, length) => file.subarray(offset, offset + length);
}
