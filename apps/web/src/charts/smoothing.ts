/** Exponential smoothing of a noisy curve. */

/**
 * An exponential moving average with bias correction, so that it starts at the first value instead of at zero
 * (Kingma and Ba, 2015, section 3). `factor` in [0, 1) is the share that stays.
 */
export function smoothed(values: readonly number[], factor: number): number[] {
  let average = 0;
  let correction = 1;
  return values.map((value) => {
    average = factor * average + (1 - factor) * value;
    correction *= factor;
    return average / (1 - correction);
  });
}

/** A factor that suits a curve of `count` points: the window grows with the curve, up to some fifty points. */
export function smoothingFactor(count: number): number {
  const window = Math.min(50, Math.max(1, count / 12));
  return 1 - 1 / window;
}
