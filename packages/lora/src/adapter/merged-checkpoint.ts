/** A base model with an adapter folded in, as one safetensors file: a stream, so that no more than a tensor is in memory. */
import { canonicalTensorName, type ModelConfig } from '../architecture/index.ts';
import { bytesOf, encodeSafetensorsHeader, narrowTensor, type ReadRange } from '../checkpoint/index.ts';
import { readWeight, readWeightFile, type WeightTensor } from '../packing/index.ts';
import { mergeAdapter } from './merge-adapter.ts';
import type { ImportedAdapter } from './peft-folder.ts';

/**
 * The bytes of `model.safetensors`. Tensors keep their stored names and types; what was quantised becomes F16. Buffers and
 * a tied head's copy, which the model does not read, are left out.
 * @param read reads the base model's weights file of `fileBytes`, packed or as Hugging Face stores it
 * @throws CheckpointError `malformed`; `bad_values` naming a tensor whose merged values its type does not reach
 */
export async function* mergedCheckpoint(
  model: ModelConfig,
  adapter: ImportedAdapter,
  read: ReadRange,
  fileBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const merge = mergeAdapter(model, adapter);
  const { tensors } = await readWeightFile(read, fileBytes);
  // Wide types first: every tensor then starts where its type may.
  const weights = [...tensors.values()]
    .flatMap((tensor) => {
      const canonical = canonicalTensorName(model, tensor.name);
      return canonical === null ? [] : [{ tensor, canonical, dtype: mergedType(tensor) }];
    })
    .toSorted((a, b) => bytesOf(b.dtype, [1]) - bytesOf(a.dtype, [1]));
  yield encodeSafetensorsHeader(
    weights.map(({ tensor: { name, shape }, dtype }) => ({ name, shape, dtype })),
    { format: 'pt' },
  );
  for (const { tensor, canonical, dtype } of weights) {
    yield narrowTensor(tensor.name, dtype, merge(canonical, await readWeight(read, tensor)));
  }
}

function mergedType({ dtype }: WeightTensor): 'F32' | 'F16' | 'BF16' {
  return dtype === 'F32' || dtype === 'BF16' ? dtype : 'F16';
}
