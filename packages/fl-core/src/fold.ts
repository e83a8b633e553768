/**
 * The exact fold: a weighted sum of deltas whose bits do not depend on order, grouping or machine.
 *
 * Every term `w * delta` is rounded to a multiple of 2^-30 before it is added. Sums of such multiples are exact in
 * Float64 while they stay below 2^23 (53 significant bits = 23 + 30), so addition is associative and subtraction undoes
 * it to the bit (design.md, "Exactness"). Rounding adds and subtracts 1.5 * 2^22, where neighbouring doubles are 2^-30
 * apart; it is valid for |term| < 2^21.
 *
 * Cost: 11 ms for a delta of 1,048,576 values, checks included (`npm run bench -- fold`; 2026-11, one EPYC core).
 */
import { Refusal } from './refusal.ts';

/** What every term is rounded to a multiple of. */
export const EXACT_GRID = 2 ** -30;
const ROUNDING = 1.5 * 2 ** 22;
const TERM_LIMIT = 2 ** 21;
const SUM_LIMIT = 2 ** 23;
const WEIGHT_LIMIT = 2 ** 20;

/** The nearest multiple of 2^-30; exact rounding for |term| < 2^21. */
export function roundToGrid(term: number): number {
  return term + ROUNDING - ROUNDING;
}

/**
 * The power of two to multiply label-token counts with, so that all of `totalLabelTokens` stays below 2^20.
 * Being a power of two it changes no bit of any quotient.
 */
export function weightScaleFor(totalLabelTokens: number): number {
  let scale = 1;
  while (totalLabelTokens * scale >= WEIGHT_LIMIT) scale /= 2;
  return scale;
}

/** The running weighted sum of deltas of one layout. */
export class ExactFold {
  readonly #sum: Float64Array;
  #weight = 0;

  /** Continues from a stored sum (copied) and its total weight, or starts at nothing. */
  constructor(size: number, stored?: { sum: Float64Array; weight: number }) {
    if (stored && stored.sum.length !== size) {
      throw new RangeError(`ExactFold: stored sum has ${stored.sum.length} values, the layout ${size}`);
    }
    this.#sum = stored ? stored.sum.slice() : new Float64Array(size);
    this.#weight = stored?.weight ?? 0;
  }

  /** Number of values in a delta. */
  get size(): number {
    return this.#sum.length;
  }

  /** Sum of the weights folded so far. */
  get weight(): number {
    return this.#weight;
  }

  /** The running sum itself, to be looked at: it changes with the next contribution. */
  get sum(): Float64Array {
    return this.#sum;
  }

  /** A fold of its own with the same sum. */
  copy(): ExactFold {
    return new ExactFold(this.size, { sum: this.#sum, weight: this.#weight });
  }

  /**
   * Folds one contribution in: `sum += round(weight * delta)`.
   * @throws Refusal `wrong_shape`, `not_finite`, `bad_weight` or `norm_too_large`; the sum is then unchanged
   */
  add(delta: Float32Array, weight: number): void {
    this.#accumulate(delta, weight, 1);
  }

  /** Takes a contribution out again. The result has the bits of never having folded it. Throws as `add`. */
  withdraw(delta: Float32Array, weight: number): void {
    this.#accumulate(delta, weight, -1);
  }

  /** Throws as `add` would, and changes nothing. */
  check(delta: Float32Array, weight: number): void {
    this.#check(delta, weight, 1);
  }

  /** The weighted mean `sum / weight` in f32; all zeros while nothing is folded. */
  mean(): Float32Array {
    const mean = new Float32Array(this.#sum.length);
    if (this.#weight > 0) for (let i = 0; i < mean.length; i++) mean[i] = this.#sum[i]! / this.#weight;
    return mean;
  }

  #accumulate(delta: Float32Array, weight: number, sign: 1 | -1): void {
    const total = this.#check(delta, weight, sign);
    const sum = this.#sum;
    for (let i = 0; i < sum.length; i++) sum[i]! += sign * roundToGrid(weight * delta[i]!);
    this.#weight = total;
  }

  /** @returns the total weight after it */
  #check(delta: Float32Array, weight: number, sign: 1 | -1): number {
    const sum = this.#sum;
    if (delta.length !== sum.length) {
      throw new Refusal(
        'wrong_shape',
        `The delta has ${delta.length} values; this campaign's layout has ${sum.length}.`,
      );
    }
    if (!(Number.isFinite(weight) && weight > 0) || roundToGrid(weight) !== weight) {
      throw new Refusal('bad_weight', `A contribution's weight must be a positive multiple of 2^-30, not ${weight}.`);
    }
    const total = this.#weight + sign * weight;
    if (total < 0 || total >= WEIGHT_LIMIT) {
      throw new Refusal('bad_weight', `The total weight would be ${total}; it must stay in [0, 2^20).`);
    }
    for (let i = 0; i < sum.length; i++) {
      const term = weight * delta[i]!;
      if (!(Math.abs(term) < TERM_LIMIT)) {
        throw Number.isFinite(delta[i]!)
          ? new Refusal('norm_too_large', `Value ${i} of the delta is too large to fold exactly (${delta[i]}).`)
          : new Refusal('not_finite', `Value ${i} of the delta is not a finite number.`);
      }
      if (!(Math.abs(sum[i]! + sign * roundToGrid(term)) < SUM_LIMIT)) {
        throw new Refusal('norm_too_large', `Value ${i} of the sum would leave the range of exact sums.`);
      }
    }
    return total;
  }
}
