/**
 * Coordinate median and trimmed mean (Yin et al. 2018, arXiv 1803.01498): each value of the merged delta is a robust mean of
 * that value in all deltas. Clients count alike; weights are not used, since a claimed weight is what an attacker chooses.
 *
 * A coordinate is sorted before it is averaged, so the order of arrival cannot reach the result.
 */
import { checkCohort } from './cohort.ts';
import type { CohortRule } from './merge-rule.ts';

/** The median of each coordinate; the mean of the middle two for an even number of clients. */
export function coordinateMedianRule(): CohortRule {
  return perCoordinate('coordinate-median', 1, (n) => Math.floor((n - 1) / 2));
}

/**
 * The mean of each coordinate without its `trimmed` lowest and highest values.
 * @throws RangeError unless `trimmed` is a whole number from 1 on
 */
export function trimmedMeanRule(trimmed: number): CohortRule {
  if (!Number.isInteger(trimmed) || trimmed < 1) throw new RangeError(`trimmedMeanRule: cannot trim ${trimmed} values`);
  return perCoordinate('trimmed-mean', 2 * trimmed + 1, () => trimmed);
}

/** `cut(n)`: how many values are left out on either side of n sorted ones. */
function perCoordinate(name: string, least: number, cut: (n: number) => number): CohortRule {
  return {
    kind: 'cohort',
    name,
    orderFree: true,
    online: false,
    withdrawable: false,
    least,
    merge(cohort) {
      const size = checkCohort(name, least, cohort);
      const outside = cut(cohort.length);
      const kept = cohort.length - 2 * outside;
      const merged = new Float32Array(size);
      const column = new Float64Array(cohort.length);
      for (let i = 0; i < size; i++) {
        for (let c = 0; c < cohort.length; c++) column[c] = cohort[c]!.delta[i]!;
        column.sort();
        let sum = 0;
        for (let c = outside; c < outside + kept; c++) sum += column[c]!;
        merged[i] = sum / kept;
      }
      return merged;
    },
  };
}
