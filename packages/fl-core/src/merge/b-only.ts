/**
 * The default (FFA-LoRA, Sun et al. 2024, arXiv 2403.12313): A is published and frozen, clients train B, so
 * `sum_i p_i (B_i A) = (sum_i p_i B_i) A` and the mean of B's is the mean of updates.
 */
import type { SumRule } from './merge-rule.ts';
import { plainSum } from './plain-sum.ts';

/** `size`: number of values of all B's. */
export function bOnlyRule(size: number): SumRule {
  return plainSum({ name: 'b-only', meansUpdates: true, size });
}
