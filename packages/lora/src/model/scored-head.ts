/**
 * The end of the model, on scored positions only: final norm, head, cross-entropy. Answers are short and prompts are not
 * scored, so picking the rows first removes most of the head's cost, and no `[M, V]` tensor ever exists.
 * Shapes: M positions in the batch, S of them scored, D hidden, V vocabulary.
 */
import type { LlamaConfig } from '../checkpoint/index.ts';
import {
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
  sub,
  sum,
  zeros,
} from '../tensor/index.ts';
import type { Tensor, Tensor1D, Tensor2D } from '../tensor/index.ts';
import type { LlamaWeights } from './llama.ts';
import { rmsNorm, rmsNormBackward } from './rms-norm.ts';

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

/** Logits `[S, V]` at the given positions of `hidden [M, D]`. */
export function logitsAt(config: LlamaConfig, weights: LlamaWeights, hidden: Tensor2D, position: Tensor1D): Tensor2D {
  return headOf(weights, rmsNorm(gather(hidden, position), weights.finalNorm, config.rmsNormEps).y);
}

/** The negative log-likelihood of each row's label in nats, `[S]`. */
export function labelLosses(logits: Tensor2D, label: Tensor1D): Tensor1D {
  return neg(sum(mul(logSoftmax(logits), hotLabels(label, logits.shape[1])), 1));
}

/** The weighted loss (a scalar, nats) and its gradient for `hidden`, `[M, D]`. Gradient of the logits: softmax - label. */
export function scoredLoss(
  config: LlamaConfig,
  weights: LlamaWeights,
  hidden: Tensor2D,
  { position, label, weight, rowOfPosition }: ScoredPositions,
): { loss: Tensor; dHidden: Tensor2D } {
  const picked: Tensor2D = gather(hidden, position);
  const { y, inverse } = rmsNorm(picked, weights.finalNorm, config.rmsNormEps);
  const logProbabilities: Tensor2D = logSoftmax(headOf(weights, y));
  const share: Tensor2D = reshape(weight, [-1, 1]);
  const hot = mul(hotLabels(label, config.vocabSize), share);
  const dLogits: Tensor2D = sub(mul(exp(logProbabilities), share), hot);
  const dNormed: Tensor2D = weights.head
    ? matMul(dLogits, weights.head, false, true)
    : matMul(dLogits, weights.embedding);
  const dPicked = rmsNormBackward(dNormed, picked, weights.finalNorm, inverse);
  const withZeroRow: Tensor2D = concat([dPicked, zeros([1, config.hiddenSize])], 0);
  return { loss: neg(sum(mul(logProbabilities, hot))), dHidden: gather(withZeroRow, rowOfPosition) };
}

function headOf({ head, embedding }: LlamaWeights, y: Tensor2D): Tensor2D {
  return head ? matMul(y, head) : matMul(y, embedding, false, true);
}

/** `[S, V]` f32: one at each row's label. Cast afterwards: asked for f32, the WASM kernel of TFJS 4.22 writes integers. */
function hotLabels(label: Tensor1D, vocabulary: number): Tensor2D {
  return cast<Tensor2D>(oneHot(label, vocabulary) as Tensor2D, 'float32');
}
