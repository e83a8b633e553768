import { Refusal } from '../refusal.ts';
import type { SumRule } from './merge-rule.ts';

/** A rule whose terms are the deltas themselves. */
export function plainSum(rule: { name: string; meansUpdates: boolean; size: number }): SumRule {
  const { name, meansUpdates, size } = rule;
  return {
    kind: 'sum',
    name,
    orderFree: true,
    online: true,
    withdrawable: true,
    meansUpdates,
    deltaSize: size,
    termSize: size,
    termWork: 0,
    largestValue: (norm) => norm,
    term(delta) {
      if (delta.length === size) return delta;
      throw new Refusal('wrong_shape', `The delta has ${delta.length} values; this campaign's layout has ${size}.`);
    },
  };
}
