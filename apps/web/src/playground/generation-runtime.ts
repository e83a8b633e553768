/** The heavy part of the worker, fetched at the first text: TFJS, the tokeniser and generation. */
import { openModel, type ReadFile } from '@oneround/client/run';
import type { Manifest } from '@oneround/fl-core';
import type { CausalLm } from '@oneround/lora/evaluation';
import { loadCausalLm } from '@oneround/lora/loading';
import type { TextTokenizer } from '@oneround/lora/tokenizer';

export { modelFiles } from '@oneround/fl-core';
export { selectBackend } from '@oneround/lora/evaluation';
export { generateText, peftAdapter } from '@oneround/lora/generation';
export { wasmPaths } from './tfjs-wasm-paths.ts';

/** The tokeniser and the model, on the backend in use. `read` gives the checked bytes of a file. */
export async function loadModel(
  manifest: Manifest,
  read: ReadFile,
): Promise<{ tokenizer: TextTokenizer; model: CausalLm }> {
  const { config, tokenizer, readWeights, weightBytes } = await openModel(manifest, read);
  return { tokenizer, model: await loadCausalLm(config, readWeights, weightBytes) };
}
