/** Held-out evaluation of one campaign: the base model on TFJS's WASM backend, loaded once, in a thread of its own. */
import { readFileSync } from 'node:fs';
import { parseRecords, type EvaluationResult } from '@oneround/fl-core';
import { parseModelConfig } from '@oneround/lora/architecture';
import { loadCausalLm } from '@oneround/lora/loading';
import { readAcross } from '@oneround/lora/packing';
import { encodeExamples, loadTokenizer, type EncodedExample } from '@oneround/lora/tokenizer';
import { type CausalLm, evaluate, selectBackend } from '@oneround/lora/training';
import type { CampaignDefinition } from '../campaign/index.ts';
import { readFileRange } from '../model/index.ts';

const BATCH_SIZE = 32;

/** What the evaluation thread is started with. */
export interface EvaluatorOptions {
  definition: CampaignDefinition;
  /** Folder of content-addressed blobs. */
  blobFolder: string;
}

export class Evaluator {
  readonly #definition: CampaignDefinition;
  readonly #model: CausalLm;
  readonly #examples: EncodedExample[];

  private constructor(definition: CampaignDefinition, model: CausalLm, examples: EncodedExample[]) {
    this.#definition = definition;
    this.#model = model;
    this.#examples = examples;
  }

  /** Loads the model and the held-out set. */
  static async load({ definition, blobFolder }: EvaluatorOptions): Promise<Evaluator> {
    const { model, data, training } = definition.manifest;
    const blob = (sha256: string) => readFileSync(`${blobFolder}/${sha256}`);
    const json = (sha256: string): unknown => JSON.parse(blob(sha256).toString('utf8'));
    await selectBackend('wasm');
    const sizes = model.weights.map(({ bytes }) => bytes);
    const read = readAcross(sizes, (index, offset, length) =>
      readFileRange(`${blobFolder}/${model.weights[index]!.sha256}`, offset, length),
    );
    const fileBytes = sizes.reduce((sum, size) => sum + size, 0);
    const base = await loadCausalLm(parseModelConfig(json(model.config.sha256)), read, fileBytes);
    const tokenizer = loadTokenizer(json(model.tokenizer.sha256), json(model.tokenizerConfig.sha256));
    const records = parseRecords(blob(definition.heldOutSha256).toString('utf8'));
    const { examples } = encodeExamples(tokenizer, records, data.template, training.maxTokens);
    return new Evaluator(definition, base, examples);
  }

  /** Scores the base model with these adapter values (flat, layout order) on the held-out set. */
  async score(values: Float32Array): Promise<EvaluationResult> {
    const { adapter: spec, layout } = this.#definition.manifest;
    const options = { batchSize: BATCH_SIZE };
    const result = await evaluate(this.#model, { spec, layout, values }, this.#examples, options);
    const { loss, accuracy, examples, domains } = result;
    return { loss, accuracy, examples, domains };
  }
}
