/**
 * Attention in WGSL, of two kinds: through workgroup memory for GPUs, in registers for programs on the CPU.
 * `attention.ts` says what is computed.
 */
import type { Attention, AttentionBackward } from '../plan/index.ts';
import { laneWidth } from './arguments.ts';
import { attentionBackwardInRegisters, attentionInRegisters } from './attention-registers.ts';
import { attentionBackwardInTiles, attentionInTiles } from './attention-tiles.ts';
import type { Dispatch, KernelTraits } from './dispatch.ts';

/** The longest head, in lanes, whose channels a compiler still puts into registers within seconds. */
const REGISTER_LANES = 32;

/** `attention` in WGSL. */
export function attentionDispatches(op: Attention, { isSoftware }: KernelTraits): Dispatch[] {
  const { q, k, v, out, headDim } = op;
  const width = laneWidth([q, k, v, out], [headDim]);
  const inRegisters = isSoftware && headDim / width <= REGISTER_LANES;
  return inRegisters ? attentionInRegisters(op, width) : attentionInTiles(op, width);
}

/** `attentionBackward` in WGSL. */
export function attentionBackwardDispatches(op: AttentionBackward, { isSoftware }: KernelTraits): Dispatch[] {
  const { q, k, v, out, dOut, dq, dk, dv, headDim } = op;
  const width = laneWidth([q, k, v, out, dOut, dq, dk, dv], [headDim]);
  const inRegisters = isSoftware && headDim / width <= REGISTER_LANES;
  return inRegisters ? attentionBackwardInRegisters(op, width) : attentionBackwardInTiles(op, width);
}
