import { Refusal } from '../refusal.ts';
import type { WeightedDelta } from './merge-rule.ts';

/**
 * Checks what every cohort rule asks of its cohort; returns the number of values in a delta.
 * @throws RangeError for fewer than `least`; Refusal `wrong_shape` when two deltas differ in length, `not_finite`
 */
export function checkCohort(name: string, least: number, cohort: readonly WeightedDelta[]): number {
  if (cohort.length < least) {
    throw new RangeError(`${name} needs ${least} contributions at least; there are ${cohort.length}`);
  }
  const size = cohort[0]!.delta.length;
  for (const { delta } of cohort) {
    if (delta.length !== size) {
      throw new Refusal('wrong_shape', `The deltas of a cohort must have one length, not ${size} and ${delta.length}.`);
    }
    if (!delta.every(Number.isFinite))
      throw new Refusal('not_finite', 'A delta holds a value that is no finite number.');
  }
  return size;
}
