/** Attention in WGSL: `attention.ts` says what it computes. */
import type { Attention, AttentionBackward } from '../plan/index.ts';
import type { Dispatch, KernelTraits } from './dispatch.ts';
import { attentionBackwardInRegisters, attentionInRegisters } from './attention-registers.ts';

/** `attention` in WGSL. */
export function attentionDispatches(op: Attention, _traits: KernelTraits): Dispatch[] {
  return attentionInRegisters(op);
}

/** `attentionBackward` in WGSL. */
export function attentionBackwardDispatches(op: AttentionBackward, _traits: KernelTraits): Dispatch[] {
  return attentionBackwardInRegisters(op);
}
