/**
 * The attention half of a block: project, norm heads, turn by positions, attend, project back.
 * Shapes: M positions; H query heads, K key and value heads of C channels.
 */
import type { Attention as AttentionLayer } from '../architecture/index.ts';
import { backwardLinear, forwardLinear, type SavedLinear } from './adapted-linear.ts';
import type { Books } from './books.ts';
import { isGroupTrained, type LinearGroup, linearGroup } from './linear-group.ts';
import { isNormTrained, normGradient, planNorm } from './norm-plan.ts';
import type { AttentionSettings, NormSettings } from './operations.ts';
import { columnsOf, type PlanWriter } from './plan-writer.ts';
import type { View } from './values.ts';

const rows = { of: 'positions' } as const;

/** An attention layer with its weights' places. */
export interface PlannedAttention {
  kind: 'attention';
  projections: LinearGroup;
  output: LinearGroup;
  settings: AttentionSettings;
  queryNorm: NormSettings | null;
  keyNorm: NormSettings | null;
  /** Name of the rotary table. */
  rotary: string | null;
}

export interface SavedAttention {
  projected: View;
  heads: { q: View; k: View; v: View };
  mixed: View;
  logSumExp: View;
  projection: SavedLinear;
  output: SavedLinear;
}

/** Notes down an attention layer's weights. @throws RangeError where only one of queries and keys is normed */
export function planAttention(layer: AttentionLayer, books: Books): PlannedAttention {
  const { heads, kvHeads, headDim, scale, softCap, window, rotary, projections, output } = layer;
  if ((layer.queryNorm === null) !== (layer.keyNorm === null)) {
    throw new RangeError('planAttention: queries and keys must both be normed, or neither');
  }
  return {
    kind: 'attention',
    projections: linearGroup(projections, books),
    output: linearGroup([output], books),
    settings: { heads, kvHeads, headDim, scale, softCap, window },
    queryNorm: layer.queryNorm && planNorm(layer.queryNorm, books, heads),
    keyNorm: layer.keyNorm && planNorm(layer.keyNorm, books, kvHeads),
    rotary: rotary && books.stored.rotary(rotary),
  };
}

/** `x` to the layer's result plus `addend`. */
export function forwardAttention(
  plan: PlanWriter,
  layer: PlannedAttention,
  x: View,
  addend: View | null,
): { y: View; saved: SavedAttention } {
  const { settings, queryNorm, keyNorm, rotary, projections, output } = layer;
  const { label } = projections;
  const { y: projected, saved: projection } = forwardLinear(plan, projections, x, null);
  const raw = headsOf(layer, projected);
  const { turned } = raw;
  let heads = { q: raw.q, k: raw.k, v: raw.v };
  let turning = turned;
  if (queryNorm && keyNorm) {
    const normed = plan.perPosition(`${label} heads`, turned.columns);
    heads = { ...headsOf(layer, normed), v: raw.v };
    plan.push({ kind: 'norm', ...queryNorm, x: raw.q, addend: null, out: heads.q, rows, picks: false });
    plan.push({ kind: 'norm', ...keyNorm, x: raw.k, addend: null, out: heads.k, rows, picks: false });
    turning = normed;
  }
  if (rotary !== null) plan.push(turn(layer, turning, rotary, 1));
  const mixed = plan.perPosition(`${label} mixed`, settings.heads * settings.headDim);
  const logSumExp = plan.perPosition(`${label} log-sum-exp`, settings.heads);
  plan.push({ kind: 'attention', ...settings, ...heads, out: mixed, logSumExp });
  const { y, saved } = forwardLinear(plan, output, mixed, addend);
  return { y, saved: { projected, heads, mixed, logSumExp, projection, output: saved } };
}

/** The gradients of the layer's parameters and, if `needsInput`, that of its input. */
export function backwardAttention(
  plan: PlanWriter,
  layer: PlannedAttention,
  dy: View,
  saved: SavedAttention,
  needsInput: boolean,
): View | null {
  const { settings, queryNorm, keyNorm, rotary, projections, output } = layer;
  const { projected, heads, mixed, logSumExp } = saved;
  const trainsHeadNorms = queryNorm !== null && isNormTrained(queryNorm);
  const goesOn = needsInput || isGroupTrained(projections) || trainsHeadNorms;
  const dMixed = backwardLinear(plan, output, dy, saved.output, goesOn);
  if (!dMixed) return null;
  const { label } = projections;
  const dProjected = plan.perPosition(`d ${label} heads`, projections.out);
  const dRaw = headsOf(layer, dProjected);
  const dNormed = queryNorm && plan.perPosition(`d ${label} normed heads`, dRaw.turned.columns);
  const dHeads = { ...headsOf(layer, dNormed ?? dProjected), v: dRaw.v };
  const delta = plan.perPosition(`${label} delta`, settings.heads);
  plan.push({
    kind: 'attentionBackward',
    ...settings,
    ...heads,
    out: mixed,
    logSumExp,
    dOut: dMixed,
    delta,
    dq: dHeads.q,
    dk: dHeads.k,
    dv: dHeads.v,
  });
  if (rotary !== null) plan.push(turn(layer, dHeads.turned, rotary, -1));
  if (queryNorm && keyNorm) {
    const raw = headsOf(layer, projected);
    normGradient(plan, queryNorm, { dy: dHeads.q, x: raw.q, rows, picks: false });
    normGradient(plan, keyNorm, { dy: dHeads.k, x: raw.k, rows, picks: false });
    const norms = { addend: null, rows, picked: false } as const;
    plan.push({ kind: 'normBackward', ...queryNorm, ...norms, dy: dHeads.q, x: raw.q, out: dRaw.q });
    plan.push({ kind: 'normBackward', ...keyNorm, ...norms, dy: dHeads.k, x: raw.k, out: dRaw.k });
  }
  return backwardLinear(plan, projections, dProjected, saved.projection, needsInput);
}

/** Query, key and value, which stand side by side; `turned` is query and key together. Values of normed heads hold no v. */
function headsOf({ settings }: PlannedAttention, side: View) {
  const { heads, kvHeads, headDim } = settings;
  const [query, key] = [heads * headDim, kvHeads * headDim];
  return {
    q: columnsOf(side, 0, query),
    k: columnsOf(side, query, key),
    v: columnsOf(side, query + key, key),
    turned: columnsOf(side, 0, query + key),
  };
}

function turn({ settings }: PlannedAttention, x: View, table: string, direction: 1 | -1) {
  const { heads, kvHeads, headDim } = settings;
  return { kind: 'rotate', x, heads: heads + kvHeads, headDim, table, direction } as const;
}
