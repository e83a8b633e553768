/**
 * From a model's scores to one token: temperature, then top-k, then top-p (Holtzman et al. 2019, arXiv 1904.09751), in the
 * order of Hugging Face's `generate`. Computed in Float64 with `portableExp`, ties in favour of the smaller id: the same
 * scores, settings and seed give the same tokens in every browser and in Node.
 */
import { SeededRandom } from '@oneround/fl-core';
import { GenerationError } from './generation-error.ts';
import { portableExp } from './portable-exp.ts';

export interface SamplingSettings {
  /** What scores are divided by; 0 takes the best token always, and the other settings then change nothing. */
  temperature: number;
  /** Only this many best tokens are drawn from; null: all. */
  topK: number | null;
  /** Only the fewest best tokens that together are at least this probable are drawn from; 1: all. */
  topP: number;
  /** Unsigned, 32 bits. */
  seed: number;
}

/** Draws one token after another; its state is the position in the seed's stream. */
export class Sampler {
  readonly #settings: SamplingSettings;
  readonly #random: SeededRandom;

  /** @throws GenerationError `bad_settings` naming the setting */
  constructor(settings: SamplingSettings) {
    checkSettings(settings);
    this.#settings = settings;
    this.#random = new SeededRandom(settings.seed);
  }

  /** The next token for `logits [V]`. @throws GenerationError `not_finite` */
  next(logits: Float32Array): number {
    const best = bestToken(logits);
    const { temperature, topK, topP } = this.#settings;
    if (temperature === 0) return best;
    const weights = new Float64Array(logits.length);
    for (let id = 0; id < weights.length; id++) weights[id] = portableExp((logits[id]! - logits[best]!) / temperature);
    const ids = mostProbable(mostLikely(weights, topK), weights, topP);
    return drawn(ids, weights, this.#random.nextUnit());
  }
}

function checkSettings({ temperature, topK, topP, seed }: SamplingSettings): void {
  if (!(temperature >= 0 && temperature < Infinity)) throw refusal(`temperature is 0 or more, not ${temperature}.`);
  if (topK !== null && !(Number.isInteger(topK) && topK >= 1)) {
    throw refusal(`top-k is a whole number from 1 on, not ${topK}.`);
  }
  if (!(topP > 0 && topP <= 1)) throw refusal(`top-p is above 0 and at most 1, not ${topP}.`);
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    throw refusal(`seed is a whole number from 0 to 4294967295, not ${seed}.`);
  }
}

function refusal(rule: string): GenerationError {
  return new GenerationError('bad_settings', rule);
}

function bestToken(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    if (!Number.isFinite(logits[id])) {
      throw new GenerationError('not_finite', `The model scores token ${id} with ${logits[id]}; it is broken.`);
    }
    if (logits[id]! > logits[best]!) best = id;
  }
  return best;
}

/** The ids of the `count` largest weights, largest first; all in their order when there is no count. */
function mostLikely(weights: Float64Array, count: number | null): number[] {
  if (count === null || count >= weights.length) return [...weights.keys()];
  // Sorting numbers is much faster than sorting ids by a comparison, so the smallest weight that stays is found first.
  const smallest = weights.toSorted()[weights.length - count]!;
  return byWeight(
    [...weights.keys()].filter((id) => weights[id]! >= smallest),
    weights,
  ).slice(0, count);
}

/** The fewest of `ids`, by weight, that have the share `topP` of their total. */
function mostProbable(ids: number[], weights: Float64Array, topP: number): number[] {
  if (topP === 1) return ids;
  const total = sumOf(ids, weights);
  // What weighs less than this cannot matter: all of it together is within the share that is left out.
  const negligible = ((1 - topP) * total) / ids.length;
  const sorted = byWeight(
    ids.filter((id) => weights[id]! > negligible),
    weights,
  );
  let sum = 0;
  const last = sorted.findIndex((id) => (sum += weights[id]!) >= topP * total);
  return last < 0 ? sorted : sorted.slice(0, last + 1);
}

/** The one of `ids` at the share `unit` of their total weight. */
function drawn(ids: readonly number[], weights: Float64Array, unit: number): number {
  const target = unit * sumOf(ids, weights);
  let sum = 0;
  return ids.find((id) => (sum += weights[id]!) > target) ?? ids.at(-1)!;
}

function byWeight(ids: readonly number[], weights: Float64Array): number[] {
  return ids.toSorted((a, b) => weights[b]! - weights[a]! || a - b);
}

function sumOf(ids: readonly number[], weights: Float64Array): number {
  return ids.reduce((sum, id) => sum + weights[id]!, 0);
}
