/**
 * SiLU and GELU, both x * sigmoid(z(x)): SiLU with z = x; GELU in its tanh form (Hendrycks & Gimpel 2016, arXiv
 * 1606.08415), x/2 (1 + tanh(u)) with u = sqrt(2/pi) (x + 0.044715 x^3), because (1 + tanh(u)) / 2 = sigmoid(2u).
 */
import type { Activation } from '../architecture/index.ts';
import { add, mul, sigmoid, square, sub, type Tensor2D } from '../tensor/index.ts';

const GELU_LINEAR = 2 * Math.sqrt(2 / Math.PI);
const GELU_CUBIC = 0.044715 * GELU_LINEAR;

/** The activation of x, any shape. */
export function activate(activation: Activation, x: Tensor2D): Tensor2D {
  return mul(x, sigmoid(exponent(activation, x)));
}

/** Its derivative at x: s + x s (1 - s) z'(x) with s = sigmoid(z(x)). */
export function activationSlope(activation: Activation, x: Tensor2D): Tensor2D {
  const s = sigmoid(exponent(activation, x));
  const bend: Tensor2D = mul(mul(x, s), sub(1, s));
  return add(s, activation === 'silu' ? bend : mul(bend, add(mul(square(x), 3 * GELU_CUBIC), GELU_LINEAR)));
}

function exponent(activation: Activation, x: Tensor2D): Tensor2D {
  return activation === 'silu' ? x : mul(x, add(mul(square(x), GELU_CUBIC), GELU_LINEAR));
}
