/**
 * checkpoint: a Hugging Face model folder's weights file as plain data.
 * No TFJS here: the server reads checkpoints in its main process.
 */
export * from './checkpoint-error.ts';
export { narrowFloat16, widenFloat16 } from './half-floats.ts';
export {
  assertHoldsWeights,
  narrowTensor,
  readSafetensors,
  type SafetensorsEntry,
  safetensorsParts,
  type TensorEntry,
  widenTensor,
  writeSafetensors,
} from './safetensors.ts';
export {
  bytesOf,
  type Dtype,
  encodeSafetensorsHeader,
  type ReadRange,
  readSafetensorsHeader,
  safetensorsHeaderOf,
  sizeOf,
  type StoredTensor,
} from './safetensors-header.ts';
