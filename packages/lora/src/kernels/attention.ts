/**
 * Causal grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245), o = softmax(scale q k^T) v over the positions up
 * to the own one, at most `window` of them; scores are first bent by c tanh(score / c) where there is a soft cap.
 * Fused as in FlashAttention (Dao et al. 2022, arXiv 2205.14135): no array of scores exists. Forward keeps the log of each
 * row's sum of exponentials; backward computes the probabilities p from it again and, with delta = sum(o * dO),
 *   dv = p^T dO,  ds = p * (dO v^T - delta) * (1 - (score / c)^2) * scale,  dq = ds k,  dk = ds^T q.
 * Query head h reads key and value head floor(h / (H / K)), whose gradients sum over the group.
 */
import type { Attention, AttentionBackward, AttentionSettings, View } from '../plan/index.ts';
import { forEachRow, type HostMemory, rowOf } from './host-memory.ts';
import { dot } from './linear.ts';

/** `attention` in double precision. */
export function attentionTwin(op: Attention, memory: HostMemory): void {
  const { v, out, logSumExp, heads } = op;
  forEachRow(memory, { of: 'positions' }, (row) => {
    for (let head = 0; head < heads; head++) {
      const scores = scoresOf(op, memory, row, head);
      const largest = Math.max(...scores.map(({ bent }) => bent));
      const sum = scores.reduce((total, { bent }) => total + Math.exp(bent - largest), 0);
      const result = headOf(op, memory, out, row, head).fill(0);
      for (const { bent, seen } of scores) {
        const p = Math.exp(bent - largest) / sum;
        headOf(op, memory, v, seen, groupOf(op, head)).forEach((value, i) => (result[i]! += p * value));
      }
      rowOf(memory, logSumExp, row)[head] = largest + Math.log(sum);
    }
  });
}

/** `attentionBackward` in double precision. */
export function attentionBackwardTwin(op: AttentionBackward, memory: HostMemory): void {
  const { q, k, v, out, logSumExp, dOut, delta, dq, dk, dv, heads, scale, softCap } = op;
  forEachRow(memory, { of: 'positions' }, (row) => {
    for (const view of [dq, dk, dv]) rowOf(memory, view, row).fill(0);
  });
  forEachRow(memory, { of: 'positions' }, (row) => {
    for (let head = 0; head < heads; head++) {
      const group = groupOf(op, head);
      const dO = headOf(op, memory, dOut, row, head);
      const sum = dot(headOf(op, memory, out, row, head), dO);
      rowOf(memory, delta, row)[head] = sum;
      for (const { bent, seen } of scoresOf(op, memory, row, head)) {
        const p = Math.exp(bent - rowOf(memory, logSumExp, row)[head]!);
        const slope = softCap === null ? 1 : 1 - (bent / softCap) ** 2;
        const ds = p * (dot(dO, headOf(op, memory, v, seen, group)) - sum) * slope * scale;
        addTimes(headOf(op, memory, dv, seen, group), p, dO);
        addTimes(headOf(op, memory, dk, seen, group), ds, headOf(op, memory, q, row, head));
        addTimes(headOf(op, memory, dq, row, head), ds, headOf(op, memory, k, seen, group));
      }
    }
  });
}

/** The rows that a query sees and their scores, bent. */
function scoresOf(op: Attention | AttentionBackward, memory: HostMemory, row: number, head: number) {
  const { q, k, scale, softCap, window } = op;
  const t = row % memory.shape.positions;
  const query = headOf(op, memory, q, row, head);
  return Array.from({ length: Math.min(t + 1, window ?? Infinity) }, (_, i) => {
    const seen = row - i;
    const score = scale * dot(query, headOf(op, memory, k, seen, groupOf(op, head)));
    return { seen, bent: softCap === null ? score : softCap * Math.tanh(score / softCap) };
  });
}

function groupOf({ heads, kvHeads }: AttentionSettings, head: number): number {
  return Math.floor(head / (heads / kvHeads));
}

function headOf(
  { headDim }: AttentionSettings,
  memory: HostMemory,
  view: View,
  row: number,
  head: number,
): Float64Array {
  return rowOf(memory, view, row).subarray(head * headDim, (head + 1) * headDim);
}

function addTimes(target: Float64Array, factor: number, values: Float64Array): void {
  values.forEach((value, i) => (target[i]! += factor * value));
}
