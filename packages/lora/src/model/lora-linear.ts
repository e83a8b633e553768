/**
 * A frozen linear layer, adapted or not: y = x W + bias + scale * (x A) B^T (Hu et al. 2021, arXiv 2106.09685).
 * Shapes: M rows, I features in, O out, R the rank. W is kept `[I, O]` and A `[I, R]`, the transposes of the checkpoint's
 * and of PEFT's, so that the forward product needs no transposition. W and A are frozen: nothing is saved for them.
 */
import type { LinearLayer } from '../architecture/index.ts';
import { add, matMul, mul, type Tensor2D } from '../tensor/index.ts';
import { linearWeights, type Weights } from './weights.ts';

/** The adapter of one linear layer. */
export interface LoraPair {
  /** `[I, R]`, published and frozen. */
  a: Tensor2D;
  /** `[O, R]`, trained. */
  b: Tensor2D;
  /** What the update is multiplied with. */
  scale: number;
}

/** Adapters by the name of their linear layer; a layer that is missing is not adapted. */
export type Adapter = Readonly<Record<string, LoraPair>>;
/** `x A [M, R]` of adapted layers, which their gradients need. */
export type Downs = Record<string, Tensor2D>;
/** The gradients for B, `[O, R]` each, by the name of their linear layer. */
export type Gradients = Record<string, Tensor2D>;

/** `x [M, I]` to `y [M, O]`; an adapted layer leaves its `x A` in `downs`. */
export function loraLinear(
  weights: Weights,
  adapter: Adapter,
  layer: LinearLayer,
  x: Tensor2D,
  downs: Downs,
): Tensor2D {
  const { weight, bias } = linearWeights(weights, layer);
  const product: Tensor2D = matMul(x, weight);
  const base: Tensor2D = bias ? add(product, bias) : product;
  const lora = adapter[layer.name];
  if (!lora) return base;
  const down: Tensor2D = matMul(x, lora.a);
  downs[layer.name] = down;
  return add(base, mul(matMul(down, lora.b, false, true), lora.scale));
}

/** Leaves the gradient for B in `gradients` if the layer is adapted: scale * dy^T (x A), `[O, R]`. */
export function collectGradient(
  adapter: Adapter,
  layer: LinearLayer,
  dy: Tensor2D,
  downs: Downs,
  gradients: Gradients,
): void {
  const lora = adapter[layer.name];
  const down = downs[layer.name];
  if (lora && down) gradients[layer.name] = mul(matMul(dy, down, true, false), lora.scale);
}

/** The gradient for x: dy W^T + scale * (dy B) A^T, `[M, I]`. */
export function loraLinearBackward(weights: Weights, adapter: Adapter, layer: LinearLayer, dy: Tensor2D): Tensor2D {
  const base: Tensor2D = matMul(dy, linearWeights(weights, layer).weight, false, true);
  const lora = adapter[layer.name];
  if (!lora) return base;
  return add(base, mul(matMul(matMul(dy, lora.b), lora.a, false, true), lora.scale));
}
