/**
 * A frozen linear layer, adapted or not: y = x W + scale * (x A) B^T (Hu et al. 2021, arXiv 2106.09685).
 * Shapes: M rows, I features in, O out, R the rank. W is kept `[I, O]` and A `[I, R]`, the transposes of the checkpoint's
 * and of PEFT's, so that the forward product needs no transposition. W and A are frozen: nothing is saved for them.
 */
import { add, matMul, mul, type Tensor2D } from '../tensor/index.ts';

/** The adapter of one linear layer. */
export interface LoraPair {
  /** `[I, R]`, published and frozen. */
  a: Tensor2D;
  /** `[O, R]`, trained. */
  b: Tensor2D;
  /** alpha / rank. */
  scale: number;
}

/** What backward needs of an adapted layer: `down = x A`, `[M, R]`; nothing for a layer without adapter. */
export interface LoraLinearOutput {
  y: Tensor2D;
  down: Tensor2D | null;
}

/** `x [M, I]` to `y [M, O]`. */
export function loraLinear(x: Tensor2D, weight: Tensor2D, lora: LoraPair | undefined): LoraLinearOutput {
  const base: Tensor2D = matMul(x, weight);
  if (!lora) return { y: base, down: null };
  const down: Tensor2D = matMul(x, lora.a);
  return { y: add(base, mul(matMul(down, lora.b, false, true), lora.scale)), down };
}

/** The gradient for B: scale * dy^T (x A), `[O, R]`. */
export function loraGradient(dy: Tensor2D, down: Tensor2D, lora: LoraPair): Tensor2D {
  return mul(matMul(dy, down, true, false), lora.scale);
}

/** The gradient for x: dy W^T + scale * (dy B) A^T, `[M, I]`. */
export function loraLinearBackward(dy: Tensor2D, weight: Tensor2D, lora: LoraPair | undefined): Tensor2D {
  const base: Tensor2D = matMul(dy, weight, false, true);
  if (!lora) return base;
  return add(base, mul(matMul(matMul(dy, lora.b), lora.a, false, true), lora.scale));
}
