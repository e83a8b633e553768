/** The published norm: clients clip to it, and intake checks that they did. It bounds what a single client can move. */
import { deltaNorm } from '../delta-codec.ts';
import { Refusal } from '../refusal.ts';

/**
 * How far above the published norm a decoded delta may lie. int8 frames (`delta-codec.ts`) move each of 64 values by up to
 * absmax / 254, so a block of norm absmax or more by a factor of up to 1 + 8 / 254.
 */
const CODEC_SLACK = 1 + 8 / 254;

/** The delta, shortened to `maxNorm` where it is longer: what an honest client uploads. */
export function clipToNorm(delta: Float32Array, maxNorm: number): Float32Array {
  const norm = deltaNorm(delta);
  return norm > maxNorm ? delta.map((value) => value * (maxNorm / norm)) : delta;
}

/**
 * The delta's L2 norm.
 * @throws Refusal `norm_too_large` when no encoding of a clipped delta could have it, `not_finite`
 */
export function checkNorm(delta: Float32Array, maxNorm: number): number {
  const norm = deltaNorm(delta);
  if (!Number.isFinite(norm)) throw new Refusal('not_finite', 'The delta holds a value that is no finite number.');
  if (norm > maxNorm * CODEC_SLACK) {
    const found = norm.toPrecision(4);
    throw new Refusal('norm_too_large', `The delta's norm is ${found}; this campaign accepts up to ${maxNorm}.`);
  }
  return norm;
}
