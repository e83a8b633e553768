/** Attention and its backward as calls of their kernels. */
import type { Attention, AttentionBackward, AttentionSettings, BatchShape } from '../plan/index.ts';
import type { Addresses } from './addresses.ts';

/** The arguments that both share. */
function settings({ heads, kvHeads, headDim, scale, softCap, window }: AttentionSettings, shape: BatchShape) {
  const seen = Math.min(window ?? shape.positions, shape.positions);
  return [shape.rows, shape.positions, heads, kvHeads, headDim, scale, softCap ?? 0, seen] as const;
}

export function runAttention(op: Attention, at: Addresses, shape: BatchShape): void {
  at.kernels.attention(
    ...settings(op, shape),
    ...at.view(op.q),
    ...at.view(op.k),
    ...at.view(op.v),
    ...at.view(op.out),
    at.padding(op.out),
    ...at.view(op.logSumExp),
    at.padding(op.logSumExp),
    at.scratch,
  );
}

export function runAttentionBackward(op: AttentionBackward, at: Addresses, shape: BatchShape): void {
  at.kernels.attentionBackward(
    ...settings(op, shape),
    ...at.view(op.q),
    ...at.view(op.k),
    ...at.view(op.v),
    ...at.view(op.out),
    ...at.view(op.logSumExp),
    ...at.view(op.dOut),
    ...at.view(op.delta),
    at.padding(op.delta),
    ...at.view(op.dq),
    at.padding(op.dq),
    ...at.view(op.dk),
    at.padding(op.dk),
    ...at.view(op.dv),
    at.padding(op.dv),
    at.scratch,
  );
}
