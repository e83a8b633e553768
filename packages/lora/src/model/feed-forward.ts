/**
 * The feed-forward half of a block: down(act(gate x) * up x) (Shazeer 2020, arXiv 2002.05202), or down(act(up x)) without
 * a gate. Shapes: M rows, D hidden, F intermediate.
 */
import type { FeedForward } from '../architecture/index.ts';
import { add, mul, type Tensor2D } from '../tensor/index.ts';
import { activate, activationSlope } from './activation.ts';
import { collectGradient, type Downs, type Gradients, loraLinear, loraLinearBackward } from './lora-linear.ts';
import type { Pass } from './pass.ts';

/** The tensors that backward reads, `[M, F]`. */
export type SavedFeedForward = { gate: Tensor2D | undefined; up: Tensor2D; downs: Downs };

/** `x [M, D]` to `[M, D]`. */
export function feedForward(
  { weights, adapter }: Pass,
  { gate: gateLayer, up: upLayer, down, activation }: FeedForward,
  x: Tensor2D,
): { y: Tensor2D; saved: SavedFeedForward } {
  const downs: Downs = {};
  const gate = gateLayer ? loraLinear(weights, adapter, gateLayer, x, downs) : undefined;
  const up = loraLinear(weights, adapter, upLayer, x, downs);
  const activated: Tensor2D = gate ? mul(activate(activation, gate), up) : activate(activation, up);
  return { y: loraLinear(weights, adapter, down, activated, downs), saved: { gate, up, downs } };
}

/**
 * The gradient for x, and in `gradients` those of every adapted B. Undefined when `needsInput` is false: then it stops as
 * soon as no adapter is left below.
 */
export function feedForwardBackward(
  { weights, adapter }: Pass,
  { gate: gateLayer, up: upLayer, down, activation }: FeedForward,
  dy: Tensor2D,
  { gate, up, downs }: SavedFeedForward,
  gradients: Gradients,
  needsInput: boolean,
): Tensor2D | undefined {
  collectGradient(adapter, down, dy, downs, gradients);
  const isAdaptedBelow = [gateLayer, upLayer].some((layer) => layer && adapter[layer.name]);
  if (!needsInput && !isAdaptedBelow) return undefined;

  const dActivated = loraLinearBackward(weights, adapter, down, dy);
  const dUp: Tensor2D = mul(dActivated, gate ? activate(activation, gate) : activationSlope(activation, up));
  collectGradient(adapter, upLayer, dUp, downs, gradients);
  const dGate: Tensor2D | undefined = gate && mul(mul(dActivated, up), activationSlope(activation, gate));
  if (gateLayer && dGate) collectGradient(adapter, gateLayer, dGate, downs, gradients);
  if (!needsInput) return undefined;
  const dx = loraLinearBackward(weights, adapter, upLayer, dUp);
  return gateLayer && dGate ? add(dx, loraLinearBackward(weights, adapter, gateLayer, dGate)) : dx;
}
