/** Held-out evaluation of one campaign: the base model on TFJS's WASM backend, loaded once, in a thread of its own. */
import { readFile } from 'node:fs/promises';
import { parseRecords, type EvaluationResult } from '@oneround/fl-core';
import { publishedA } from '@oneround/lora/adapter';
import { parseModelConfig } from '@oneround/lora/architecture';
import { loadCausalLm } from '@oneround/lora/loading';
import { readAcross } from '@oneround/lora/packing';
import { encodeExamples, loadTokenizer, type EncodedExample } from '@oneround/lora/tokenizer';
import { type AdapterValues, type CausalLm, evaluate, selectBackend } from '@oneround/lora/evaluation';
import { startingTensors, type CampaignDefinition } from '../campaign/index.ts';
import type { ModelChange } from '../ledger/index.ts';
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
  /** The A's of the adapter that the campaign starts from, or those of its seed. */
  readonly #a: readonly Float32Array[];

  private constructor(
    definition: CampaignDefinition,
    model: CausalLm,
    examples: EncodedExample[],
    a: readonly Float32Array[],
  ) {
    this.#definition = definition;
    this.#model = model;
    this.#examples = examples;
    this.#a = a;
  }

  /** Loads the model and the held-out set. */
  static async load({ definition, blobFolder }: EvaluatorOptions): Promise<Evaluator> {
    const { model, adapter, data, training } = definition.manifest;
    const blob = (sha256: string) => readFile(`${blobFolder}/${sha256}`);
    const json = async (sha256: string): Promise<unknown> => JSON.parse((await blob(sha256)).toString('utf8'));
    await selectBackend('wasm');
    const sizes = model.weights.map(({ bytes }) => bytes);
    const read = readAcross(sizes, (index, offset, length) =>
      readFileRange(`${blobFolder}/${model.weights[index]!.sha256}`, offset, length),
    );
    const fileBytes = sizes.reduce((sum, size) => sum + size, 0);
    const base = await loadCausalLm(parseModelConfig(await json(model.config.sha256)), read, fileBytes);
    const tokenizer = loadTokenizer(await json(model.tokenizer.sha256), await json(model.tokenizerConfig.sha256));
    const records = parseRecords((await blob(definition.heldOutSha256)).toString('utf8'));
    const { examples } = encodeExamples(tokenizer, records, data.template, training.maxTokens);
    const start = await startingTensors(adapter, base.config, blob);
    return new Evaluator(definition, base, examples, start?.a ?? publishedA(base.config, adapter));
  }

  /** Answers, like every call, once the model is loaded. */
  isLoaded(): boolean {
    return true;
  }

  /** Scores the base model with this change on the held-out set. */
  async score({ kind, values }: ModelChange): Promise<EvaluationResult> {
    const { adapter: spec, layout } = this.#definition.manifest;
    const { loss, accuracy, examples, domains } = await (kind === 'update'
      ? this.#scoreUpdate(values)
      : this.#scoreOn(this.#model, { spec, layout, values, a: this.#a }));
    return { loss, accuracy, examples, domains };
  }

  /** An update is added to the weights, exactly: nothing is cut to the rank of an export. */
  async #scoreUpdate(update: Float32Array): Promise<EvaluationResult> {
    const updated = this.#model.withUpdate(this.#definition.manifest.adapter, update);
    try {
      return await this.#scoreOn(updated, null);
    } finally {
      updated.dispose();
    }
  }

  #scoreOn(model: CausalLm, adapter: AdapterValues | null): Promise<EvaluationResult> {
    return evaluate(model, adapter, this.#examples, { batchSize: BATCH_SIZE });
  }
}
