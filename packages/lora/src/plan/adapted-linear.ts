/** A linear group with its adapters, forward and backward, as operations. */
import type { LinearGroup } from './linear-group.ts';
import { type PlanWriter } from './plan-writer.ts';
import type { Matrix, Rows, View } from './values.ts';

/** What a group's backward reads: its input (only where A or the weight is trained) and u. */
export interface SavedLinear {
  x: View;
  u: View | null;
}

const everyPosition: Rows = { of: 'positions' };

/** `x` through the group, plus `addend`. */
export function forwardLinear(
  plan: PlanWriter,
  group: LinearGroup,
  x: View,
  addend: View | null,
): { y: View; saved: SavedLinear } {
  const { label, weight, stored, bias, parts, a, rank, out } = group;
  const u = a && plan.perPosition(`${label} u`, rank);
  if (a && u) plan.push({ kind: 'loraDown', x, a, parts, u, rows: everyPosition });
  const y = plan.perPosition(label, out);
  plan.push({ kind: 'linear', x, weight, stored, bias, lora: u && { u, parts }, addend, out: y, rows: everyPosition });
  return { y, saved: { x, u } };
}

/** The gradients of whatever is trained in the group: B's, A's, weight, bias; and, if `needsInput`, that of its input. */
export function backwardLinear(
  plan: PlanWriter,
  group: LinearGroup,
  dy: View,
  { x, u }: SavedLinear,
  needsInput: boolean,
): View | null {
  const { label, weight, stored, bias, parts, a, rank } = group;
  const rows = everyPosition;
  const trainMatrix = (matrix: Matrix | null, left: View, right: View) => {
    if (matrix?.from !== 'trained') return;
    plan.push({ kind: 'matrixGradient', left, right, offset: matrix.offset, adds: false, rows });
  };
  if (bias?.from === 'trained') plan.push({ kind: 'biasGradient', dy, bias, rows });
  if (stored === 'outIn') trainMatrix(weight, dy, x);
  else trainMatrix(weight, x, dy);
  if (u) plan.push({ kind: 'loraGradient', dy, u, parts, rows });
  const v = a && (needsInput || a.from === 'trained') ? plan.perPosition(`d ${label} v`, rank) : null;
  if (v) plan.push({ kind: 'loraDownBackward', dy, parts, v, rows });
  if (v) trainMatrix(a, v, x);
  if (!needsInput) return null;
  const dx = plan.perPosition(`d ${label}`, group.in);
  plan.push({ kind: 'linearBackward', dy, weight, stored, lora: v && a && { v, a }, addend: null, out: dx, rows });
  return dx;
}
