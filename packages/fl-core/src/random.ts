/**
 * Seeded randomness that gives the same bits in every browser, in Node and in Python.
 *
 * Generator: splitmix32 (32-bit mixing of a Weyl sequence; constants of C. Wellons' "Prospecting for hash functions",
 * the low-bias `21f0aaad / 735a2d97` pair). Integer arithmetic only, so no platform can differ.
 */

const WEYL_STEP = 0x9e3779b9;

/** A reproducible stream of random numbers. Its whole state is one unsigned 32-bit integer. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** The state to hand to a new `SeededRandom` that continues this stream. */
  get state(): number {
    return this.#state;
  }

  /** The next integer, uniform on `[0, 2^32)`. */
  nextUint32(): number {
    this.#state = (this.#state + WEYL_STEP) >>> 0;
    let z = this.#state;
    z ^= z >>> 16;
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    z ^= z >>> 15;
    return z >>> 0;
  }

  /** The next number, uniform on `[0, 1)` in steps of 2^-32. */
  nextUnit(): number {
    return this.nextUint32() / 2 ** 32;
  }

  /** The next integer, uniform on `[0, bound)`; `bound` must be in `[1, 2^32]`. Rejection sampling: no modulo bias. */
  nextInt(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
      throw new RangeError(`nextInt: bound must be an integer in [1, 2^32], got ${bound}`);
    }
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const value = this.nextUint32();
      if (value < limit) return value % bound;
    }
  }

  /** A shuffled copy of `items` (Fisher-Yates); the input is left alone. */
  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.nextInt(i + 1);
      [result[i], result[j]] = [result[j]!, result[i]!];
    }
    return result;
  }
}
