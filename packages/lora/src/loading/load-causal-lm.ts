/** A base model from the bytes of its weights file, packed or as Hugging Face stores it. */
import { checkTensors, type ModelConfig } from '../architecture/index.ts';
import type { ReadRange } from '../checkpoint/index.ts';
import { CausalLm } from '../model/index.ts';
import { readWeightFile } from '../packing/index.ts';
import { loadWeight } from './load-weight.ts';

/**
 * Reads tensor by tensor, from front to back for a packed model; at no time is more than one tensor's packed bytes held.
 * Select a backend first; weights do not move.
 * @throws CheckpointError `malformed`, `unsupported` or `wrong_tensors` when the file is not this config's model
 */
export async function loadCausalLm(config: ModelConfig, read: ReadRange, fileBytes: number): Promise<CausalLm> {
  const { tensors } = await readWeightFile(read, fileBytes);
  const canonical = checkTensors(config, tensors);
  return CausalLm.loadFrom(config, (name) => loadWeight(read, canonical.get(name)!));
}
