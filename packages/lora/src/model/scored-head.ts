/**
 * The end of the model, on scored positions only: final norm, head, cross-entropy. Answers are short and prompts are not
 * scored, so picking the rows first removes most of the head's cost, and no `[M, V]` tensor ever exists.
 * Shapes: M positions in the batch, S of them scored, D hidden, V the padded vocabulary.
 */
import type { ModelConfig } from '../architecture/index.ts';
import {
  add,
  cast,
  concat,
  exp,
  gather,
  logSoftmax,
  matMul,
  mul,
  neg,
  oneHot,
  reshape,
  square,
  sub,
  sum,
  tanh,
  tensor1d,
  zeros,
} from '../tensor/index.ts';
import type { Tensor, Tensor1D, Tensor2D } from '../tensor/index.ts';
import { norm, normBackward } from './norm.ts';
import { headName, paddedVocabulary, tableWeights, type Weights } from './weights.ts';

/** The logit of a token that only pads the vocabulary. Finite, and its probability is zero. */
const NO_TOKEN = -1e9;

/** Which positions are scored, against what, and with which weight. S may include padding of weight 0. */
export interface ScoredPositions {
  /** `[S]` int32: the position of each scored row, in `[0, M)`. */
  position: Tensor1D;
  /** `[S]` int32: the token to predict. */
  label: Tensor1D;
  /** `[S]`: its share of the loss. */
  weight: Tensor1D;
  /** `[M]` int32: the scored row of each position, or S where there is none. */
  rowOfPosition: Tensor1D;
}

/** Logits `[S, V]` at the given positions of `hidden [M, D]`; a token beyond the real vocabulary has probability zero. */
export function logitsAt(config: ModelConfig, weights: Weights, hidden: Tensor2D, position: Tensor1D): Tensor2D {
  const { y } = norm(weights, config.finalNorm, gather(hidden, position));
  return withoutPadding(config, cappedLogits(config, weights, y));
}

/** The negative log-likelihood of each row's label in nats, `[S]`. */
export function labelLosses(logits: Tensor2D, label: Tensor1D): Tensor1D {
  return neg(sum(mul(logSoftmax(logits), hotLabels(label, logits.shape[1])), 1));
}

/** The weighted loss (a scalar, nats) and its gradient for `hidden`, `[M, D]`. Gradient of the logits: softmax - label. */
export function scoredLoss(
  config: ModelConfig,
  weights: Weights,
  hidden: Tensor2D,
  { position, label, weight, rowOfPosition }: ScoredPositions,
): { loss: Tensor; dHidden: Tensor2D } {
  const picked: Tensor2D = gather(hidden, position);
  const { y, statistics } = norm(weights, config.finalNorm, picked);
  const capped = cappedLogits(config, weights, y);
  const logProbabilities: Tensor2D = logSoftmax(withoutPadding(config, capped));
  const share: Tensor2D = reshape(weight, [-1, 1]);
  const hot = mul(hotLabels(label, capped.shape[1]), share);
  const dCapped: Tensor2D = sub(mul(exp(logProbabilities), share), hot);
  const { logitSoftCap: cap } = config;
  const dLogits: Tensor2D = cap === null ? dCapped : mul(dCapped, sub(1, square(mul(capped, 1 / cap))));
  const dNormed: Tensor2D = matMul(dLogits, tableWeights(weights, headName(config)));
  const dPicked = normBackward(weights, config.finalNorm, dNormed, picked, statistics);
  const withZeroRow: Tensor2D = concat([dPicked, zeros([1, config.hiddenSize])], 0);
  return { loss: neg(sum(mul(logProbabilities, hot))), dHidden: gather(withZeroRow, rowOfPosition) };
}

/** `y [S, D]` to `[S, V]`, bent by c tanh(logit / c) where the model has a soft cap. */
function cappedLogits(config: ModelConfig, weights: Weights, y: Tensor2D): Tensor2D {
  const logits: Tensor2D = matMul(y, tableWeights(weights, headName(config)), false, true);
  const { logitSoftCap: cap } = config;
  return cap === null ? logits : mul(tanh(mul(logits, 1 / cap)), cap);
}

function withoutPadding(config: ModelConfig, logits: Tensor2D): Tensor2D {
  const padded = paddedVocabulary(config);
  if (padded === config.vocabSize) return logits;
  return add(logits, tensor1d(new Float32Array(padded).fill(NO_TOKEN, config.vocabSize)));
}

/** `[S, V]` f32: one at each row's label. Cast afterwards: asked for f32, the WASM kernel of TFJS 4.22 writes integers. */
function hotLabels(label: Tensor1D, vocabulary: number): Tensor2D {
  return cast<Tensor2D>(oneHot(label, vocabulary) as Tensor2D, 'float32');
}
