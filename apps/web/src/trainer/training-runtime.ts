/**
 * The heavy part of the worker, fetched while the model downloads: TFJS, the tokeniser and the trainer.
 * Named re-exports through one local file keep tree-shaking alive across the dynamic import.
 */
import wasmUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import wasmSimdUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import wasmThreadedUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import type { FileRef, Manifest } from '@oneround/fl-core';
import { readPeftTensors, type AdapterTensors } from '@oneround/lora/adapter';
import { parseModelConfig } from '@oneround/lora/architecture';
import { loadCausalLm } from '@oneround/lora/loading';
import { readShards } from '@oneround/lora/packing';
import { loadTokenizer, type TextTokenizer } from '@oneround/lora/tokenizer';
import type { CausalLm } from '@oneround/lora/training';

export { modelFiles } from '@oneround/fl-core';
export { encodeExamplesInSlices } from '@oneround/lora/tokenizer';
export { LoraTrainer, selectBackend, TrainingError } from '@oneround/lora/training';

/** The bytes of one file, checked. */
type ReadFile = (file: FileRef) => Promise<Uint8Array<ArrayBuffer>>;

/** Where TFJS finds its three builds. */
export const wasmPaths = {
  'tfjs-backend-wasm.wasm': wasmUrl,
  'tfjs-backend-wasm-simd.wasm': wasmSimdUrl,
  'tfjs-backend-wasm-threaded-simd.wasm': wasmThreadedUrl,
};

/** The tokeniser and the model, on the backend in use. `read` gives the checked bytes of a file. */
export async function loadModel(
  { model }: Manifest,
  read: ReadFile,
): Promise<{ tokenizer: TextTokenizer; model: CausalLm }> {
  const json = async (file: FileRef): Promise<unknown> => JSON.parse(new TextDecoder().decode(await read(file)));
  const config = parseModelConfig(await json(model.config));
  const bytes = model.weights.reduce((sum, file) => sum + file.bytes, 0);
  return {
    tokenizer: loadTokenizer(await json(model.tokenizer), await json(model.tokenizerConfig)),
    model: await loadCausalLm(config, readShards(model.weights, read), bytes),
  };
}

/** The adapter that the campaign starts from; null when it starts from the base model. */
export async function loadStart(
  { adapter }: Manifest,
  { config }: CausalLm,
  read: ReadFile,
): Promise<AdapterTensors | null> {
  return 'start' in adapter ? readPeftTensors(config, adapter, await read(adapter.start)) : null;
}
