/**
 * RMSNorm (Zhang & Sennrich 2019, arXiv 1910.07467), y = x / sqrt(mean(x^2) + eps) * gain, and LayerNorm (Ba et al. 2016,
 * arXiv 1607.06450), y = (x - mean) / sqrt(variance + eps) * gain + bias; row by row.
 * Shapes: M rows, D channels. Gain and bias are frozen, so only x has a gradient.
 */
import type { NormLayer } from '../architecture/index.ts';
import { add, mean, mul, rsqrt, square, sub, type Tensor2D } from '../tensor/index.ts';
import { normWeights, type Weights } from './weights.ts';

/** What backward needs besides x, each `[M, 1]`: the mean (LayerNorm only) and 1 / sqrt(variance or mean square + eps). */
export type NormStatistics = { mean: Tensor2D | undefined; inverse: Tensor2D };

/** `x [M, D]` to `y [M, D]`. */
export function norm(weights: Weights, layer: NormLayer, x: Tensor2D): { y: Tensor2D; statistics: NormStatistics } {
  const { gain, bias } = normWeights(weights, layer);
  const middle: Tensor2D | undefined = layer.kind === 'layer' ? mean(x, 1, true) : undefined;
  const centred = middle ? sub(x, middle) : x;
  const inverse: Tensor2D = rsqrt(add(mean(square(centred), 1, true), layer.eps));
  const scaled: Tensor2D = mul(mul(centred, inverse), gain);
  return { y: bias ? add(scaled, bias) : scaled, statistics: { mean: middle, inverse } };
}

/** The gradient for x: inverse * (g - n * mean(g * n)) with n the normed x and g = dy * gain; LayerNorm also takes off mean(g). */
export function normBackward(
  weights: Weights,
  layer: NormLayer,
  dy: Tensor2D,
  x: Tensor2D,
  { mean: middle, inverse }: NormStatistics,
): Tensor2D {
  const normed: Tensor2D = mul(middle ? sub(x, middle) : x, inverse);
  const g: Tensor2D = mul(dy, normWeights(weights, layer).gain);
  const slope: Tensor2D = sub(g, mul(normed, mean(mul(g, normed), 1, true)));
  return mul(middle ? sub(slope, mean(g, 1, true)) : slope, inverse);
}
