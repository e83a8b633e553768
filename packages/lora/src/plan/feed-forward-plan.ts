/** The feed-forward half of a block: down(act(gate x) * up x), or down(act(up x)) without a gate. F intermediate. */
import type { Activation, FeedForward } from '../architecture/index.ts';
import { backwardLinear, forwardLinear, type SavedLinear } from './adapted-linear.ts';
import type { Books } from './books.ts';
import { isGroupTrained, type LinearGroup, linearGroup } from './linear-group.ts';
import { columnsOf, type PlanWriter } from './plan-writer.ts';
import type { View } from './values.ts';

/** A feed-forward layer with its weights' places. `wide`: gate and up side by side, or up alone. */
export interface PlannedFeedForward {
  kind: 'feed-forward';
  wide: LinearGroup;
  down: LinearGroup;
  activation: Activation;
  hasGate: boolean;
}

export interface SavedFeedForward {
  wide: View;
  wideLinear: SavedLinear;
  downLinear: SavedLinear;
}

/** Notes down a feed-forward layer's weights. Two layers stored `[in, out]` cannot be joined, and none has a gate. */
export function planFeedForward({ gate, up, down, activation }: FeedForward, books: Books): PlannedFeedForward {
  return {
    kind: 'feed-forward',
    wide: linearGroup(gate ? [gate, up] : [up], books),
    down: linearGroup([down], books),
    activation,
    hasGate: gate !== null,
  };
}

/** `x` to the layer's result plus `addend`. */
export function forwardFeedForward(
  plan: PlanWriter,
  layer: PlannedFeedForward,
  x: View,
  addend: View | null,
): { y: View; saved: SavedFeedForward } {
  const { activation, down } = layer;
  const { y: wide, saved: wideLinear } = forwardLinear(plan, layer.wide, x, null);
  const activated = plan.perPosition(`${layer.wide.label} activated`, down.in);
  plan.push({ kind: 'activate', activation, ...gateAndUp(layer, wide), out: activated });
  const { y, saved: downLinear } = forwardLinear(plan, down, activated, addend);
  return { y, saved: { wide, wideLinear, downLinear } };
}

/** The gradients of the layer's parameters and, if `needsInput`, that of its input. */
export function backwardFeedForward(
  plan: PlanWriter,
  layer: PlannedFeedForward,
  dy: View,
  saved: SavedFeedForward,
  needsInput: boolean,
): View | null {
  const goesOn = needsInput || isGroupTrained(layer.wide);
  const dOut = backwardLinear(plan, layer.down, dy, saved.downLinear, goesOn);
  if (!dOut) return null;
  const dWide = plan.perPosition(`d ${layer.wide.label} wide`, layer.wide.out);
  const { gate: dGate, up: dUp } = gateAndUp(layer, dWide);
  const { gate, up } = gateAndUp(layer, saved.wide);
  plan.push({ kind: 'activateBackward', activation: layer.activation, dOut, gate, up, dGate, dUp });
  return backwardLinear(plan, layer.wide, dWide, saved.wideLinear, needsInput);
}

function gateAndUp({ hasGate, down }: PlannedFeedForward, wide: View): { gate: View | null; up: View } {
  if (!hasGate) return { gate: null, up: wide };
  return { gate: columnsOf(wide, 0, down.in), up: columnsOf(wide, down.in, down.in) };
}
