/**
 * MultiKrum (Blanchard et al. 2017, arXiv 1703.02757): of n deltas, of which f may be hostile, the n - f that lie closest to
 * their n - f - 2 nearest neighbours are merged, as a weighted mean. Distances cost O(n^2 d).
 */
import { ExactFold } from '../fold.ts';
import { checkCohort } from './cohort.ts';
import type { CohortRule, WeightedDelta } from './merge-rule.ts';

/** @param hostile f, the number of hostile clients it withstands; n must be 2 f + 3 at least */
export function multiKrumRule(hostile: number): CohortRule {
  if (!Number.isInteger(hostile) || hostile < 0) throw new RangeError(`multiKrumRule: f cannot be ${hostile}`);
  const name = 'multi-krum';
  const least = 2 * hostile + 3;
  return {
    kind: 'cohort',
    name,
    orderFree: true,
    online: false,
    withdrawable: false,
    least,
    merge(cohort) {
      const fold = new ExactFold(checkCohort(name, least, cohort));
      for (const { delta, weight } of closest(cohort, hostile)) fold.add(delta, weight);
      return fold.mean();
    },
  };
}

/** The n - f contributions of lowest score; equal scores are told apart by content, never by place. */
function closest(cohort: readonly WeightedDelta[], hostile: number): WeightedDelta[] {
  const n = cohort.length;
  const distances = cohort.map(({ delta }) => cohort.map((other) => squaredDistance(delta, other.delta)));
  const scored = cohort.map((contribution, index) => ({
    contribution,
    score: distances[index]!.toSpliced(index, 1)
      .toSorted((a, b) => a - b)
      .slice(0, n - hostile - 2)
      .reduce((sum, distance) => sum + distance, 0),
  }));
  return scored
    .toSorted((a, b) => a.score - b.score || compareContent(a.contribution, b.contribution))
    .slice(0, n - hostile)
    .map(({ contribution }) => contribution);
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = a[i]! - b[i]!;
    sum += difference * difference;
  }
  return sum;
}

function compareContent(a: WeightedDelta, b: WeightedDelta): number {
  const differing = a.delta.findIndex((value, i) => value !== b.delta[i]);
  return differing < 0 ? a.weight - b.weight : a.delta[differing]! - b.delta[differing]!;
}
