/**
 * AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) with clipping by global norm, on flat vectors of N values.
 */
import { add, div, minimum, mul, reshape, sqrt, square, sub, sum, type Tensor1D } from '../tensor/index.ts';

const BETA_1 = 0.9;
const BETA_2 = 0.999;
const EPSILON = 1e-8;

/** Parameters with the running means of their gradient and squared gradient, each `[N]`. (A type alias: tidy takes no interfaces.) */
export type AdamState = {
  values: Tensor1D;
  firstMoment: Tensor1D;
  secondMoment: Tensor1D;
};

/**
 * The state after step number `step` (counted from 1) with gradient `[N]`, and `norm [1]`, the gradient's L2 norm before
 * clipping. The gradient is scaled by min(1, clipNorm / norm). Makes tensors: call it inside a tidy.
 */
export function adamStep(
  { values, firstMoment, secondMoment }: AdamState,
  gradient: Tensor1D,
  options: { step: number; learningRate: number; weightDecay: number; clipNorm: number },
): AdamState & { norm: Tensor1D } {
  const { step, learningRate, weightDecay, clipNorm } = options;
  const norm: Tensor1D = reshape(sqrt(sum(square(gradient))), [1]);
  const clipped: Tensor1D = mul(gradient, minimum(1, div(clipNorm, add(norm, 1e-6))));
  const first: Tensor1D = add(mul(firstMoment, BETA_1), mul(clipped, 1 - BETA_1));
  const second: Tensor1D = add(mul(secondMoment, BETA_2), mul(square(clipped), 1 - BETA_2));
  const spread = add(sqrt(mul(second, 1 / (1 - BETA_2 ** step))), EPSILON);
  const move = mul(div(first, spread), learningRate / (1 - BETA_1 ** step));
  return {
    values: sub(mul(values, 1 - learningRate * weightDecay), move),
    firstMoment: first,
    secondMoment: second,
    norm,
  };
}
