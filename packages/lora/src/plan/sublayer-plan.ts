/** One sublayer, `x + postNorm(body(norm(x)))`, forward and backward. */
import type { Sublayer } from '../architecture/index.ts';
import {
  backwardAttention,
  forwardAttention,
  planAttention,
  type PlannedAttention,
  type SavedAttention,
} from './attention-plan.ts';
import {
  backwardFeedForward,
  forwardFeedForward,
  planFeedForward,
  type PlannedFeedForward,
  type SavedFeedForward,
} from './feed-forward-plan.ts';
import type { Books } from './books.ts';
import { isGroupTrained } from './linear-group.ts';
import { isNormTrained, normGradient, planNorm } from './norm-plan.ts';
import type { NormSettings } from './operations.ts';
import type { PlanWriter } from './plan-writer.ts';
import type { View } from './values.ts';

const rows = { of: 'positions' } as const;

/** A sublayer with its weights' places. */
export interface PlannedSublayer {
  norm: NormSettings;
  body: PlannedAttention | PlannedFeedForward;
  postNorm: NormSettings | null;
}

/** What a sublayer's backward reads. */
export interface SavedSublayer {
  x: View;
  body: SavedAttention | SavedFeedForward;
  /** The body's result, where it is normed too. */
  result: View;
}

/** Notes down a sublayer's weights. */
export function planSublayer({ norm, body, postNorm }: Sublayer, books: Books): PlannedSublayer {
  return {
    norm: planNorm(norm, books),
    body: body.kind === 'attention' ? planAttention(body, books) : planFeedForward(body, books),
    postNorm: postNorm && planNorm(postNorm, books),
  };
}

/** Whether anything in the sublayer is trained. */
export function isTrained({ norm, body, postNorm }: PlannedSublayer): boolean {
  const groups = body.kind === 'attention' ? [body.projections, body.output] : [body.wide, body.down];
  const norms = [norm, postNorm, ...(body.kind === 'attention' ? [body.queryNorm, body.keyNorm] : [])];
  return groups.some(isGroupTrained) || norms.some((each) => each !== null && isNormTrained(each));
}

/** `x` to the sublayer's output. */
export function forwardSublayer(
  plan: PlanWriter,
  { norm, body, postNorm }: PlannedSublayer,
  x: View,
): { out: View; saved: SavedSublayer } {
  const normed = plan.perPosition('normed', x.columns);
  plan.push({ kind: 'norm', ...norm, x, addend: null, out: normed, rows, picks: false });
  const residual = postNorm ? null : x;
  const { y, saved } =
    body.kind === 'attention'
      ? forwardAttention(plan, body, normed, residual)
      : forwardFeedForward(plan, body, normed, residual);
  if (!postNorm) return { out: y, saved: { x, body: saved, result: y } };
  const out = plan.perPosition('normed result', x.columns);
  plan.push({ kind: 'norm', ...postNorm, x: y, addend: x, out, rows, picks: false });
  return { out, saved: { x, body: saved, result: y } };
}

/** The gradients of the sublayer's parameters and, if `needsInput`, that of its input. */
export function backwardSublayer(
  plan: PlanWriter,
  { norm, body, postNorm }: PlannedSublayer,
  dOut: View,
  saved: SavedSublayer,
  needsInput: boolean,
): View | null {
  let dy = dOut;
  if (postNorm) {
    normGradient(plan, postNorm, { dy: dOut, x: saved.result, rows, picks: false });
    dy = plan.perPosition('d result', dOut.columns);
    plan.push({
      kind: 'normBackward',
      ...postNorm,
      dy: dOut,
      x: saved.result,
      addend: null,
      out: dy,
      rows,
      picked: false,
    });
  }
  const goesOn = needsInput || isNormTrained(norm);
  const dNormed =
    body.kind === 'attention'
      ? backwardAttention(plan, body, dy, saved.body as SavedAttention, goesOn)
      : backwardFeedForward(plan, body, dy, saved.body as SavedFeedForward, goesOn);
  if (!dNormed) return null;
  normGradient(plan, norm, { dy: dNormed, x: saved.x, rows, picks: false });
  if (!needsInput) return null;
  const dx = plan.perPosition('d hidden', dOut.columns);
  plan.push({ kind: 'normBackward', ...norm, dy: dNormed, x: saved.x, addend: dOut, out: dx, rows, picked: false });
  return dx;
}
