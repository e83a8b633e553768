/**
 * The attention half of a block: project, norm heads, turn by positions, attend, project back.
 * Shapes: B rows of T positions, M = B*T; H query heads, K key and value heads, C channels a head.
 */
import type { Attention, LinearLayer, NormLayer } from '../architecture/index.ts';
import { add, concat, reshape, split } from '../tensor/index.ts';
import type { Tensor2D, Tensor3D, Tensor4D } from '../tensor/index.ts';
import { attention, attentionBackward, type SavedScores, stackHeads, unstackHeads } from './attention.ts';
import type { Geometry } from './geometry.ts';
import type { KeysAndValues } from './key-value-cache.ts';
import { collectGradient, type Downs, type Gradients, loraLinear, loraLinearBackward } from './lora-linear.ts';
import { norm, normBackward, type NormStatistics } from './norm.ts';
import type { Pass } from './pass.ts';
import { rotate, rotateBackward } from './rotary.ts';

/** What the norm of each head's channels leaves for its backward. */
type SavedHeadNorm = { x: Tensor2D; statistics: NormStatistics };

/** The tensors that backward reads. (A type alias: TFJS's tidy takes no interfaces.) */
export type SavedAttention = SavedScores & {
  q: Tensor3D;
  k: Tensor3D;
  v: Tensor3D;
  queryNorm: SavedHeadNorm | undefined;
  keyNorm: SavedHeadNorm | undefined;
  downs: Downs;
};

/** `x [M, D]` to `[M, D]`. With `earlier` keys and values, the new positions see those too. */
export function attentionLayer(
  pass: Pass,
  layer: Attention,
  x: Tensor2D,
  earlier?: KeysAndValues,
): { y: Tensor2D; saved: SavedAttention } {
  const { weights, adapter, geometry } = pass;
  const { heads, kvHeads } = layer;
  const downs: Downs = {};
  const projected = layer.projections.map((projection) => loraLinear(weights, adapter, projection, x, downs));
  const [query, key, value] = perKind(layer, projected);
  const q = preparedHeads(pass, layer, query, heads, layer.queryNorm);
  const k = preparedHeads(pass, layer, key, kvHeads, layer.keyNorm);
  const stacked = {
    q: stackHeads(q.y, heads / kvHeads),
    k: withEarlier(earlier?.k, stackHeads(k.y, 1)),
    v: withEarlier(earlier?.v, stackHeads(headsOf(geometry, value, kvHeads), 1)),
  };
  const mask = geometry.masks.get(layer.window)!;
  const { out, saved } = attention(stacked.q, stacked.k, stacked.v, mask, layer);
  const mixed: Tensor2D = reshape(unstackHeads(out, geometry.rows, geometry.positions), [x.shape[0], -1]);
  return {
    y: loraLinear(weights, adapter, layer.output, mixed, downs),
    saved: { ...stacked, ...saved, queryNorm: q.saved, keyNorm: k.saved, downs },
  };
}

/**
 * The gradient for x, and in `gradients` those of every adapted B. Undefined when `needsInput` is false: then it stops as
 * soon as no adapter is left below.
 */
export function attentionLayerBackward(
  pass: Pass,
  layer: Attention,
  dy: Tensor2D,
  saved: SavedAttention,
  gradients: Gradients,
  needsInput: boolean,
): Tensor2D | undefined {
  const { weights, adapter, geometry } = pass;
  const { heads, kvHeads, projections, output } = layer;
  const { rows, positions } = geometry;
  collectGradient(adapter, output, dy, saved.downs, gradients);
  if (!needsInput && !projections.some(({ name }) => adapter[name])) return undefined;

  const dMixed = headsOf(geometry, loraLinearBackward(weights, adapter, output, dy), heads);
  const { dq, dk, dv } = attentionBackward(stackHeads(dMixed, heads / kvHeads), saved, layer);
  const dQuery = unpreparedHeads(pass, layer, unstackHeads(dq, rows, positions), layer.queryNorm, saved.queryNorm);
  const dKey = unpreparedHeads(pass, layer, unstackHeads(dk, rows, positions), layer.keyNorm, saved.keyNorm);
  const dValue: Tensor2D = reshape(unstackHeads(dv, rows, positions), [rows * positions, -1]);
  const dProjected = perProjection(projections, [dQuery, dKey, dValue]);
  projections.forEach((projection, i) => {
    collectGradient(adapter, projection, dProjected[i]!, saved.downs, gradients);
  });
  if (!needsInput) return undefined;
  return projections
    .map((projection, i) => loraLinearBackward(weights, adapter, projection, dProjected[i]!))
    .reduce((sum, dx): Tensor2D => add(sum, dx));
}

/** `[M, N*C]` to `[B, T, N, C]`. */
function headsOf({ rows, positions }: Geometry, y: Tensor2D, count: number): Tensor4D {
  return reshape(y, [rows, positions, count, y.shape[1] / count]);
}

/** Query, key and value, cut apart where one layer gives all three side by side. */
function perKind({ heads, kvHeads, headDim }: Attention, projected: Tensor2D[]): [Tensor2D, Tensor2D, Tensor2D] {
  const [query, key, value] =
    projected.length > 1
      ? projected
      : split<Tensor2D>(projected[0]!, [heads * headDim, kvHeads * headDim, kvHeads * headDim], 1);
  return [query!, key!, value!];
}

/** The inverse of `perKind`. */
function perProjection(projections: readonly LinearLayer[], perKind: Tensor2D[]): Tensor2D[] {
  return projections.length > 1 ? perKind : [concat(perKind, 1)];
}

/** Query or key `[M, N*C]` to `[B, T, N, C]`: normed head by head and turned, where the model does. */
function preparedHeads(
  { weights, geometry }: Pass,
  { headDim, rotary }: Attention,
  x: Tensor2D,
  count: number,
  headNorm: NormLayer | null,
): { y: Tensor4D; saved: SavedHeadNorm | undefined } {
  const perHead: Tensor2D = reshape(x, [-1, headDim]);
  const normed = headNorm && norm(weights, headNorm, perHead);
  const heads = headsOf(geometry, reshape(normed?.y ?? x, x.shape), count);
  return {
    y: rotary ? rotate(heads, geometry.rotary.get(rotary)!) : heads,
    saved: normed ? { x: perHead, statistics: normed.statistics } : undefined,
  };
}

/** The gradient of `preparedHeads` for its `[M, N*C]`. */
function unpreparedHeads(
  { weights, geometry }: Pass,
  { rotary, headDim }: Attention,
  dy: Tensor4D,
  headNorm: NormLayer | null,
  saved: SavedHeadNorm | undefined,
): Tensor2D {
  const turned = rotary ? rotateBackward(dy, geometry.rotary.get(rotary)!) : dy;
  const perHead: Tensor2D = reshape(turned, [-1, headDim]);
  const dx = headNorm && saved ? normBackward(weights, headNorm, perHead, saved.x, saved.statistics) : perHead;
  return reshape(dx, [geometry.rows * geometry.positions, -1]);
}

function withEarlier(earlier: Tensor3D | undefined, x: Tensor3D): Tensor3D {
  return earlier ? concat([earlier, x], 1) : x;
}
