/**
 * checkpoint: a Hugging Face model folder as plain data - config, tensors, and whether they fit.
 * No TFJS here: the server reads checkpoints in its main process.
 */
export * from './checkpoint-error.ts';
export { checkLlamaTensors, llamaTensorShapes } from './llama-tensors.ts';
export { type LlamaConfig, parseModelConfig } from './model-config.ts';
export { readSafetensors, type TensorEntry, writeSafetensors } from './safetensors.ts';
