/**
 * The problem that every contender of the step bench solves: a Llama-like decoder with a LoRA adapter on its queries and
 * values, and what a step of it costs in arithmetic.
 */

/** Which halves of the adapter are trained. */
export type Trained = 'ab' | 'b';

/** Sizes and settings of one training step. */
export interface StepShape {
  /** Hidden channels. */
  d: number;
  layers: number;
  heads: number;
  /** Channels between the two halves of a feed-forward layer. */
  ff: number;
  vocabulary: number;
  /** Rows of a batch. */
  batch: number;
  /** Tokens of a row. */
  sequence: number;
  rank: number;
  /** The adapter's product is scaled by `alpha / rank`. */
  alpha: number;
  learningRate: number;
  trained: Trained;
}

/** The shape of the targets; the same as the peers' own benchmark's. */
export const DEFAULT_SHAPE: StepShape = {
  d: 128,
  layers: 4,
  heads: 4,
  ff: 384,
  vocabulary: 512,
  batch: 8,
  sequence: 64,
  rank: 8,
  alpha: 16,
  learningRate: 1e-3,
  trained: 'ab',
};

/** Adam's constants (Kingma & Ba 2015, arXiv 1412.6980), without weight decay. */
export const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

export const NORM_EPSILON = 1e-5;
export const ROPE_BASE = 10_000;

/** Tokens of one step. */
export function tokensPerStep({ batch, sequence }: StepShape): number {
  return batch * sequence;
}

/**
 * Floating-point operations that the matrix products of one step need: forward, the gradient for each layer's input, and
 * that of the adapter. The frozen weights have no gradient; attention counts its whole square, masked half included.
 */
export function flopsPerStep(shape: StepShape): number {
  const { d, layers, ff, vocabulary, sequence, rank, trained } = shape;
  const frozen = layers * (4 * d * d + 3 * d * ff) + d * vocabulary;
  const attention = layers * 2 * sequence * d;
  const adapterHalf = layers * 2 * d * rank;
  const adapter = adapterHalf * 2 * 2 + adapterHalf * (trained === 'ab' ? 2 : 1);
  return 2 * tokensPerStep(shape) * (frozen * 2 + attention * 3 + adapter);
}
