/**
 * The heavy part of the worker, fetched while the model downloads: TFJS, the tokeniser and the trainer.
 * Named re-exports through one local file keep tree-shaking alive across the dynamic import.
 */
import wasmUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import wasmSimdUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import wasmThreadedUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import type { Manifest } from '@oneround/fl-core';
import { parseModelConfig } from '@oneround/lora/architecture';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { loadTokenizer, type TextTokenizer } from '@oneround/lora/tokenizer';
import { CausalLm } from '@oneround/lora/training';

export { encodeExamplesInSlices } from '@oneround/lora/tokenizer';
export { LoraTrainer, selectBackend, TrainingError } from '@oneround/lora/training';

/** Where TFJS finds its three builds. */
export const wasmPaths = {
  'tfjs-backend-wasm.wasm': wasmUrl,
  'tfjs-backend-wasm-simd.wasm': wasmSimdUrl,
  'tfjs-backend-wasm-threaded-simd.wasm': wasmThreadedUrl,
};

/** The files of a manifest's model, in the order in which `loadModel` takes them. */
export function modelFiles({ model }: Manifest) {
  return [model.config, model.tokenizer, model.tokenizerConfig, ...model.weights];
}

/** The tokeniser and the model, from the bytes of `modelFiles`, on the backend in use. */
export function loadModel(files: readonly Uint8Array<ArrayBuffer>[]): { tokenizer: TextTokenizer; model: CausalLm } {
  const [config, tokenizer, tokenizerConfig, ...weights] = files;
  const tensors = readSafetensors(joined(weights));
  return {
    tokenizer: loadTokenizer(json(tokenizer!), json(tokenizerConfig!)),
    model: CausalLm.load(parseModelConfig(json(config!)), tensors),
  };
}

function json(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}
