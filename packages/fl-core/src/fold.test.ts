import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExactFold, roundToGrid, weightScaleFor } from './fold.ts';
import { SeededRandom } from './random.ts';

const SIZE = 257;

interface Part {
  delta: Float32Array;
  weight: number;
}

function randomParts(seed: number, count: number): Part[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () => ({
    delta: Float32Array.from({ length: SIZE }, () => (random.nextUnit() - 0.5) * 10 ** (random.nextInt(6) - 3)),
    weight: 1 + random.nextInt(5000),
  }));
}

function foldAll(parts: readonly Part[]): ExactFold {
  const fold = new ExactFold(SIZE);
  for (const { delta, weight } of parts) fold.add(delta, weight);
  return fold;
}

const sameBits = (a: ExactFold, b: ExactFold) => {
  expect(a.weight).toBe(b.weight);
  expect(new BigUint64Array(a.sum.buffer)).toEqual(new BigUint64Array(b.sum.buffer));
};

describe('ExactFold', () => {
  it('has the same bits in every order of arrival', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 12 }), (seed, count) => {
        const parts = randomParts(seed, count);
        sameBits(foldAll(parts), foldAll(new SeededRandom(seed + 1).shuffled(parts)));
      }),
      { numRuns: 50 },
    );
  });

  it('has the same bits for every grouping into stored partial sums', () => {
    const parts = randomParts(11, 9);
    const first = foldAll(parts.slice(0, 4));
    const resumed = new ExactFold(SIZE, { sum: first.sum, weight: first.weight });
    for (const { delta, weight } of parts.slice(4)) resumed.add(delta, weight);
    sameBits(resumed, foldAll(parts));
  });

  it('after a withdrawal has the bits of never having had the contribution', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(7), (seed, withdrawn) => {
        const parts = randomParts(seed, 8);
        const fold = foldAll(parts);
        fold.withdraw(parts[withdrawn]!.delta, parts[withdrawn]!.weight);
        sameBits(fold, foldAll(parts.toSpliced(withdrawn, 1)));
      }),
      { numRuns: 50 },
    );
  });

  it('is changed by every client, not only the first', () => {
    const parts = randomParts(2, 5);
    for (let i = 0; i < parts.length; i++) {
      expect(foldAll(parts.toSpliced(i, 1)).mean()).not.toEqual(foldAll(parts).mean());
    }
  });

  it('gives the weighted mean, to the grid', () => {
    const parts = randomParts(4, 6);
    const mean = foldAll(parts).mean();
    const total = parts.reduce((sum, part) => sum + part.weight, 0);
    for (let i = 0; i < SIZE; i++) {
      const exact = parts.reduce((sum, part) => sum + part.weight * part.delta[i]!, 0) / total;
      expect(Math.abs(mean[i]! - exact)).toBeLessThan(1e-6 * Math.max(1, Math.abs(exact)));
    }
  });

  it('returns one contribution unchanged up to the grid, and scaling all weights changes nothing', () => {
    const [part] = randomParts(5, 1);
    const mean = foldAll([part!]).mean();
    mean.forEach((value, i) => expect(Math.abs(value - part!.delta[i]!)).toBeLessThan(1e-7));
    const parts = randomParts(6, 3);
    const halved = parts.map(({ delta, weight }) => ({ delta, weight: weight / 2 }));
    foldAll(halved)
      .mean()
      .forEach((value, i) => expect(Math.abs(value - foldAll(parts).mean()[i]!)).toBeLessThan(1e-7));
  });

  it('refuses what would break exactness and leaves the sum as it was', () => {
    const fold = foldAll(randomParts(7, 2));
    const before = fold.sum.slice();
    const good = new Float32Array(SIZE);
    for (const act of ['add', 'check'] as const) {
      const refuses = (delta: Float32Array, weight: number, code: string) =>
        expect(() => fold[act](delta, weight)).toThrow(expect.objectContaining({ code }));
      refuses(new Float32Array(SIZE - 1), 1, 'wrong_shape');
      refuses(good.with(3, Number.NaN), 1, 'not_finite');
      refuses(good.with(3, 2 ** 20), 4, 'norm_too_large');
      for (const weight of [0, -1, Number.NaN, 2 ** 20, 0.3]) refuses(good, weight, 'bad_weight');
    }
    fold.check(good.with(3, 2 ** 20), 1);
    expect(fold.sum).toEqual(before);
  });
});

describe('roundToGrid', () => {
  it('lands on a multiple of 2^-30 within half a step', () => {
    fc.assert(
      fc.property(fc.double({ min: -(2 ** 21) + 1, max: 2 ** 21 - 1, noNaN: true }), (term) => {
        const rounded = roundToGrid(term);
        expect(Number.isInteger(rounded * 2 ** 30)).toBe(true);
        expect(Math.abs(rounded - term)).toBeLessThanOrEqual(2 ** -31);
      }),
    );
  });
});

describe('weightScaleFor', () => {
  it('is a power of two that keeps the total below 2^20', () => {
    for (const total of [1, 2 ** 20 - 1, 2 ** 20, 3_000_000, 2 ** 40]) {
      const scale = weightScaleFor(total);
      expect(Number.isInteger(Math.log2(scale))).toBe(true);
      expect(total * scale).toBeLessThan(2 ** 20);
    }
    expect(weightScaleFor(1000)).toBe(1);
  });
});
