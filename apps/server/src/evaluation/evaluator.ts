/** Held-out evaluation of one campaign: the base model on TFJS's WASM backend, loaded once, in a thread of its own. */
import { readFileSync } from 'node:fs';
import { parseRecords, type EvaluationResult } from '@oneround/fl-core';
import { parseModelConfig } from '@oneround/lora/architecture';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { encodeExamples, loadTokenizer, type EncodedExample } from '@oneround/lora/tokenizer';
import { CausalLm, evaluate, selectBackend } from '@oneround/lora/training';
import type { CampaignDefinition } from '../campaign/index.ts';

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
    const weights = readSafetensors(Buffer.concat(model.weights.map(({ sha256 }) => blob(sha256))));
    const tokenizer = loadTokenizer(json(model.tokenizer.sha256), json(model.tokenizerConfig.sha256));
    const records = parseRecords(blob(definition.heldOutSha256).toString('utf8'));
    const { examples } = encodeExamples(tokenizer, records, data.template, training.maxTokens);
    return new Evaluator(definition, CausalLm.load(parseModelConfig(json(model.config.sha256)), weights), examples);
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
