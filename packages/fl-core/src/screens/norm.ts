/** The published norm: clients clip to it (`encodeClipped`), and intake checks that they did. It bounds what one can move. */
import { deltaNorm } from '../delta-codec.ts';
import { Refusal } from '../refusal.ts';

/**
 * The L2 norm of a decoded delta.
 * @throws Refusal `norm_too_large` when it is above the published one, `not_finite`
 */
export function checkNorm(delta: Float32Array, maxNorm: number): number {
  const norm = deltaNorm(delta);
  if (!Number.isFinite(norm)) throw new Refusal('not_finite', 'The delta holds a value that is no finite number.');
  if (norm > maxNorm) {
    const found = norm.toPrecision(4);
    throw new Refusal('norm_too_large', `The delta's norm is ${found}; this campaign accepts up to ${maxNorm}.`);
  }
  return norm;
}
