/**
 * checkpoint: a Hugging Face model folder's weights file as plain data.
 * No TFJS here: the server reads checkpoints in its main process.
 */
export * from './checkpoint-error.ts';
export { readSafetensors, type TensorEntry, writeSafetensors } from './safetensors.ts';
