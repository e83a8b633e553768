/** The direction of a contribution against that of everything accepted so far. Needs only the running sum. */

/**
 * The cosine between a term and a running sum of terms, or their mean, which points the same way; 0 when either is zero,
 * for what has no direction has none in common.
 */
export function cosineToSum(term: Float32Array, sum: Float64Array): number {
  let product = 0;
  let termSquared = 0;
  let sumSquared = 0;
  for (let i = 0; i < sum.length; i++) {
    const value = term[i]!;
    const total = sum[i]!;
    product += value * total;
    termSquared += value * value;
    sumSquared += total * total;
  }
  return termSquared === 0 || sumSquared === 0 ? 0 : product / Math.sqrt(termSquared) / Math.sqrt(sumSquared);
}

/** A mean this much shorter than a delta says nothing of where others went. */
const FAINT = 0.1;

/**
 * Whether the mean behind a sum is too short to compare a term with. Contributions of next to nothing have a direction too:
 * were it counted, whoever sent the first of them would have every honest one set aside.
 * @param weight of the sum
 */
export function isFaint(term: Float32Array, sum: Float64Array, weight: number): boolean {
  let termSquared = 0;
  let sumSquared = 0;
  for (let i = 0; i < sum.length; i++) {
    termSquared += term[i]! ** 2;
    sumSquared += sum[i]! ** 2;
  }
  return Math.sqrt(sumSquared) < FAINT * weight * Math.sqrt(termSquared);
}

/**
 * The default threshold: four standard deviations of the cosine of a random direction in `size` dimensions, 4 / sqrt(size),
 * and 0.01 at most. At 0 every other delta of pure noise would pass; honest clients, of unlike domains too, share more
 * (`npm run bench -- attacks` refuses none of them).
 */
export function chanceCosine(size: number): number {
  return Math.min(4 / Math.sqrt(size), 0.01);
}
