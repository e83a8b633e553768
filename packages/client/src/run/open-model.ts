/** A campaign's base model from its files: what it is, how it splits text, and where its weights are read from. */
import type { FileRef, Manifest } from '@oneround/fl-core';
import { type ModelConfig, parseModelConfig } from '@oneround/lora/architecture';
import type { ReadRange } from '@oneround/lora/checkpoint';
import { readShards } from '@oneround/lora/packing';
import { loadTokenizer, type TextTokenizer } from '@oneround/lora/tokenizer';

/** The bytes of one file, checked. */
export type ReadFile = (file: FileRef) => Promise<Uint8Array<ArrayBuffer>>;

export interface OpenedModel {
  config: ModelConfig;
  tokenizer: TextTokenizer;
  /** The weights file, of `weightBytes` bytes. */
  readWeights: ReadRange;
  weightBytes: number;
}

/** `read` gives the checked bytes of a file; the weights are not read yet. */
export async function openModel({ model }: Manifest, read: ReadFile): Promise<OpenedModel> {
  const json = async (file: FileRef): Promise<unknown> => JSON.parse(new TextDecoder().decode(await read(file)));
  return {
    config: parseModelConfig(await json(model.config)),
    tokenizer: loadTokenizer(await json(model.tokenizer), await json(model.tokenizerConfig)),
    readWeights: readShards(model.weights, read),
    weightBytes: model.weights.reduce((sum, file) => sum + file.bytes, 0),
  };
}
