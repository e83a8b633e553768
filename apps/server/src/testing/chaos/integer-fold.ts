/**
 * The fold once more, from the definition and not from `ExactFold`: every term is a whole number of 2^-30, ties to
 * even, and whole numbers are added as BigInts, where no order can matter. What both agree on is not one mistake made twice.
 */
const GRID = 2 ** 30;

/** A contribution as it was acknowledged to whoever made it. `weight` is scaled label tokens. */
export interface WeightedDelta {
  delta: Float32Array;
  weight: number;
}

/** The weighted mean of the deltas in f32, in the order given. */
export function integerMean(size: number, contributions: Iterable<WeightedDelta>): Float32Array {
  const sum = new BigInt64Array(size);
  let weight = 0;
  for (const contribution of contributions) {
    contribution.delta.forEach((value, i) => (sum[i]! += nearestWhole(contribution.weight * value * GRID)));
    weight += contribution.weight;
  }
  return Float32Array.from(sum, (whole) => (weight === 0 ? 0 : Number(whole) / GRID / weight));
}

function nearestWhole(value: number): bigint {
  const below = Math.floor(value);
  const past = value - below;
  const isUp = past > 0.5 || (past === 0.5 && below % 2 !== 0);
  return BigInt(isUp ? below + 1 : below);
}
