/**
 * RMSNorm (Zhang & Sennrich 2019, arXiv 1910.07467): y = x / sqrt(mean(x^2) + eps) * weight, row by row.
 * Shapes: M rows, D channels. The weight is frozen, so only x has a gradient.
 */
import { add, mean, mul, rsqrt, square, sub, sum, type Tensor1D, type Tensor2D } from '../tensor/index.ts';

/** `x [M, D]` to `y [M, D]`, and the `inverse [M, 1]` of each row's root mean square that backward needs. */
export function rmsNorm(x: Tensor2D, weight: Tensor1D, eps: number): { y: Tensor2D; inverse: Tensor2D } {
  const inverse: Tensor2D = rsqrt(add(mean(square(x), 1, true), eps));
  return { y: mul(mul(x, inverse), weight), inverse };
}

/** The gradient for x: inverse * (g - n * mean(g * n)) with n = x * inverse and g = dy * weight. */
export function rmsNormBackward(dy: Tensor2D, x: Tensor2D, weight: Tensor1D, inverse: Tensor2D): Tensor2D {
  const normalised = mul(x, inverse);
  const g = mul(dy, weight);
  const along = mul(sum(mul(g, normalised), 1, true), 1 / x.shape[1]);
  return mul(sub(g, mul(normalised, along)), inverse);
}
