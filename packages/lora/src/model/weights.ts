/**
 * A model's frozen tensors, by their checkpoint names and laid out as the forward pass reads them: linear weights
 * `[in, out]`, norm gains with Gemma's one already added, the vocabulary padded to a multiple of four rows.
 */
import {
  type LinearLayer,
  linearLayers,
  type ModelConfig,
  type NormLayer,
  normLayers,
  tensorShapes,
} from '../architecture/index.ts';
import { add, concat, dispose, tidy, transpose, zeros } from '../tensor/index.ts';
import type { Tensor, Tensor1D, Tensor2D } from '../tensor/index.ts';

export type Weights = Readonly<Record<string, Tensor>>;

/** WebGPU's matrix kernels read four columns at once. */
const VOCABULARY_STEP = 4;

/** The vocabulary size that tensors have: rounded up, as GPT-2's 50257 must be. */
export function paddedVocabulary({ vocabSize }: ModelConfig): number {
  return Math.ceil(vocabSize / VOCABULARY_STEP) * VOCABULARY_STEP;
}

/** `[I, O]`, and the bias `[O]` if the layer has one. */
export function linearWeights(weights: Weights, { name, hasBias }: LinearLayer) {
  const weight = weights[`${name}.weight`] as Tensor2D;
  return { weight, bias: hasBias ? (weights[`${name}.bias`] as Tensor1D) : null };
}

/** What a norm multiplies with, `[D]`, and a LayerNorm's bias. */
export function normWeights(weights: Weights, { name, kind }: NormLayer) {
  const gain = weights[`${name}.weight`] as Tensor1D;
  return { gain, bias: kind === 'layer' ? (weights[`${name}.bias`] as Tensor1D) : null };
}

/** A `[V, D]` matrix: the embedding, learned positions or the head. */
export function tableWeights(weights: Weights, name: string): Tensor2D {
  return weights[`${name}.weight`] as Tensor2D;
}

/** Turns tensors, given one by one as a checkpoint stores them, into weights. */
export class WeightsLoader {
  readonly #config: ModelConfig;
  readonly #transposed: ReadonlySet<string>;
  readonly #offset: ReadonlySet<string>;
  readonly #padded: ReadonlySet<string>;
  readonly #weights: Record<string, Tensor> = {};

  constructor(config: ModelConfig) {
    this.#config = config;
    this.#transposed = weightNames(config.sublayers.flatMap(linearLayers).filter(({ isConv1d }) => !isConv1d));
    const norms = [...config.sublayers.flatMap(normLayers), config.finalNorm];
    this.#offset = weightNames(norms.filter(({ hasUnitOffset }) => hasUnitOffset));
    this.#padded = weightNames([config.embedding, { name: headName(config) }]);
  }

  /** Takes `stored` over, or disposes it once its other layout is made. */
  add(name: string, stored: Tensor): void {
    const laidOut = tidy(() => this.#laidOut(name, stored));
    if (laidOut !== stored) stored.dispose();
    this.#weights[name] = laidOut;
  }

  /** All weights. Throws RangeError when one was not added: a programming error. */
  finish(): Weights {
    const missing = [...tensorShapes(this.#config).keys()].find((name) => !this.#weights[name]);
    if (missing !== undefined) throw new RangeError(`WeightsLoader: ${missing} was not added`);
    return this.#weights;
  }

  /** Frees what was added, when loading cannot go on. */
  dispose(): void {
    dispose(Object.values(this.#weights));
  }

  #laidOut(name: string, stored: Tensor): Tensor {
    if (this.#transposed.has(name)) return transpose(stored);
    if (this.#offset.has(name)) return add(stored, 1);
    const missingRows = paddedVocabulary(this.#config) - this.#config.vocabSize;
    if (missingRows === 0 || !this.#padded.has(name)) return stored;
    return concat<Tensor2D>([stored as Tensor2D, zeros([missingRows, this.#config.hiddenSize])], 0);
  }
}

function weightNames(layers: readonly { name: string }[]): Set<string> {
  return new Set(layers.map(({ name }) => `${name}.weight`));
}

/** The tensor that turns the last hidden state into logits: the head, or the embedding where they are tied. */
export function headName({ head, embedding }: ModelConfig): string {
  return head ?? embedding.name;
}
