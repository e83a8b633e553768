/** The heavy part of the worker, fetched at the first text: TFJS, the tokeniser and generation. */
export { generateText, peftAdapter } from '@oneround/lora/generation';
export { loadModel, modelFiles, selectBackend, wasmPaths } from '../trainer/training-runtime.ts';
