/** How well a model, with or without an adapter, predicts the answers of held-out examples. */
import type { AdapterLayout } from '@oneround/fl-core';
import { adapterFactors, adapterSize, type LoraSpec } from '../adapter/index.ts';
import { type Adapter, type CausalLm, embed, forward, labelLosses, LoraAdapter, logitsAt } from '../model/index.ts';
import { argMax, assertDeviceHealthy, dispose, tidy, type Tensor1D } from '../tensor/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';
import { batchesByLength, checkExamples, TrainingError } from '../training/index.ts';
import { type Batch, disposeBatch, makeBatch } from './batch.ts';
import { GeometryCache } from './geometry-cache.ts';

/** A LoRA adapter as plain data; `values` as `adapterFactors` takes them. */
export interface AdapterValues {
  spec: LoraSpec;
  layout: AdapterLayout;
  values: Float32Array;
  /** The published A of each module, `[R, I]`; drawn from the spec's seed unless given. */
  a?: readonly Float32Array[] | undefined;
}

export interface DomainEvaluation {
  /** Mean nats a label token. */
  loss: number;
  /** Share of examples whose every label is the most likely token: the answer, to the letter, by greedy decoding. */
  accuracy: number;
  examples: number;
}

export interface Evaluation extends DomainEvaluation {
  labelTokens: number;
  domains: Record<string, DomainEvaluation>;
}

/** What one example adds to a mean. */
interface ExampleScore {
  domain: string;
  /** Summed over its labels, in nats. */
  loss: number;
  labels: number;
  exact: boolean;
}

export interface EvaluationOptions {
  /** Rows a batch, 16 unless told. */
  batchSize?: number;
  /** Called after every batch with the number of examples done; awaited, so it may pause or throw. */
  onBatch?: (done: number, total: number) => void | Promise<void>;
}

/**
 * Scores every example once.
 * @throws TrainingError `no_examples`, `too_long`, `wrong_shape` or `not_finite`; BackendError `device_failed`
 */
export async function evaluate(
  model: CausalLm,
  adapter: AdapterValues | null,
  examples: readonly EncodedExample[],
  options: EvaluationOptions = {},
): Promise<Evaluation> {
  return summarise(await scoreExamples(model, adapter, examples, options));
}

/**
 * The summed log-probability of each example's labels, in nats, in the order of the examples.
 * @throws as `evaluate` does, but for `not_finite`: a value may be NaN
 */
export async function logLikelihoods(
  model: CausalLm,
  adapter: AdapterValues | null,
  examples: readonly EncodedExample[],
  options: EvaluationOptions = {},
): Promise<number[]> {
  const scores = await scoreExamples(model, adapter, examples, options);
  return scores.map(({ loss }) => -loss);
}

/** In the order of the examples. */
async function scoreExamples(
  model: CausalLm,
  adapter: AdapterValues | null,
  examples: readonly EncodedExample[],
  options: EvaluationOptions,
): Promise<ExampleScore[]> {
  checkExamples(model.config, examples);
  const geometries = new GeometryCache(model.config);
  const uploaded = uploadAdapter(model, adapter);
  const scores = new Map<number, ExampleScore>();
  try {
    for (const indices of batchesByLength(examples, options.batchSize ?? 16)) {
      const rows = indices.map((index) => examples[index]!);
      const found = await scoreBatch(model, uploaded.modules, rows, geometries);
      indices.forEach((index, row) => scores.set(index, found[row]!));
      await options.onBatch?.(scores.size, examples.length);
    }
  } finally {
    uploaded.dispose();
    geometries.dispose();
  }
  return examples.map((_, index) => scores.get(index)!);
}

/**
 * The modules of an adapter, on the device until `dispose`; none without adapter.
 * @throws TrainingError `wrong_shape` when the values do not fill the layout or the layout is another adapter's
 */
export function uploadAdapter(
  model: CausalLm,
  adapter: AdapterValues | null,
): { modules: Adapter; dispose: () => void } {
  if (!adapter) return { modules: {}, dispose: () => undefined };
  const { spec, layout, values } = adapter;
  const size = adapterSize(model.config, spec);
  if (values.length !== layout.size || size !== layout.size) {
    throw new TrainingError(
      'wrong_shape',
      `Got ${values.length} values for a layout of ${layout.size} and an adapter of ${size}.`,
    );
  }
  const { a, values: b } = adapterFactors(model.config, spec, values, adapter.a);
  const lora = new LoraAdapter(model.config, spec, a);
  try {
    return { modules: lora.upload(b), dispose: () => lora.dispose() };
  } catch (error) {
    lora.dispose();
    throw error;
  }
}

async function scoreBatch(
  model: CausalLm,
  modules: Adapter,
  rows: readonly EncodedExample[],
  geometries: GeometryCache,
): Promise<ExampleScore[]> {
  const batch = makeBatch(model.config, rows);
  const { losses, best } = predict(model, modules, batch, geometries);
  try {
    const [lossOf, bestOf] = await Promise.all([losses.data(), best.data()]);
    assertDeviceHealthy();
    const labelOf = rows.flatMap(({ labels }) => [...labels].filter((label) => label >= 0));
    const scores = rows.map(({ domain }): ExampleScore => ({ domain, loss: 0, labels: 0, exact: true }));
    batch.exampleOfScore.forEach((row, i) => {
      const score = scores[row]!;
      score.loss += lossOf[i]!;
      score.labels += 1;
      score.exact &&= bestOf[i] === labelOf[i];
    });
    return scores;
  } finally {
    disposeBatch(batch);
    dispose([losses, best]);
  }
}

function predict(
  { config, weights }: CausalLm,
  modules: Adapter,
  { rows, positions, ids, scored }: Batch,
  geometries: GeometryCache,
): { losses: Tensor1D; best: Tensor1D } {
  const geometry = geometries.get(rows, positions);
  return tidy(() => {
    const pass = { weights, adapter: modules, geometry };
    const hidden = forward(config, pass, embed(config, weights, ids, geometry));
    const logits = logitsAt(config, weights, hidden, scored.position);
    return { losses: labelLosses(logits, scored.label), best: argMax(logits, 1) as Tensor1D };
  });
}

function summarise(scores: readonly ExampleScore[]): Evaluation {
  const names = [...new Set(scores.map(({ domain }) => domain))].toSorted();
  const domains = Object.fromEntries(
    names.map((name) => [name, meanOf(scores.filter(({ domain }) => domain === name))]),
  );
  return { ...meanOf(scores), labelTokens: scores.reduce((sum, { labels }) => sum + labels, 0), domains };
}

function meanOf(scores: readonly ExampleScore[]): DomainEvaluation {
  const labels = scores.reduce((sum, score) => sum + score.labels, 0);
  const loss = scores.reduce((sum, score) => sum + score.loss, 0) / Math.max(1, labels);
  if (!Number.isFinite(loss))
    throw new TrainingError('not_finite', `The held-out loss is ${loss}; the adapter is broken.`);
  const exact = scores.filter((score) => score.exact).length;
  return { loss, accuracy: exact / scores.length, examples: scores.length };
}
