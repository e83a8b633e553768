/** SwiGLU (Shazeer 2020, arXiv 2002.05202): y = silu(gate) * up, with silu(g) = g * sigmoid(g). All `[M, F]`. */
import { add, mul, sigmoid, sub, type Tensor2D } from '../tensor/index.ts';

export function swiglu(gate: Tensor2D, up: Tensor2D): Tensor2D {
  return mul(mul(gate, sigmoid(gate)), up);
}

/** The gradients for gate and up; silu'(g) = s * (1 + g * (1 - s)) with s = sigmoid(g). */
export function swigluBackward(dy: Tensor2D, gate: Tensor2D, up: Tensor2D): { dGate: Tensor2D; dUp: Tensor2D } {
  const s = sigmoid(gate);
  const silu = mul(gate, s);
  const slope = add(s, mul(silu, sub(1, s)));
  return { dGate: mul(mul(dy, up), slope), dUp: mul(dy, silu) };
}
