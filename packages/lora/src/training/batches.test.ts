import { SeededRandom } from '@oneround/fl-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchesByLength, epochBatches } from './batches.ts';

const rowsOf = (lengths: readonly number[]) => lengths.map((length) => ({ ids: { length } }));

const random = new SeededRandom(1);
const rows = rowsOf(Array.from({ length: 256 }, () => 10 + random.nextInt(90)));
const order = (seed: number, epoch: number) => epochBatches(rows, { batchSize: 8, seed, epoch });

describe('epochBatches', () => {
  it('deals every row once into as few batches as possible', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 17 }), fc.nat(50), (lengths, batchSize, epoch) => {
        const batches = epochBatches(rowsOf(lengths), { batchSize, seed: 3, epoch });
        expect(batches.flat().toSorted((a, b) => a - b)).toEqual(lengths.map((_, index) => index));
        expect(batches.length).toBe(Math.ceil(lengths.length / batchSize));
        for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(batchSize);
      }),
    );
  });

  it('depends on seed and epoch alone', () => {
    expect(order(1, 2)).toEqual(order(1, 2));
    expect(order(1, 2)).not.toEqual(order(1, 3));
    expect(order(1, 2)).not.toEqual(order(2, 2));
  });

  it('saves over half of the padding of a plain shuffle', () => {
    const padding = (batches: readonly number[][]) =>
      batches.reduce((sum, batch) => {
        const lengths = batch.map((index) => rows[index]!.ids.length);
        return sum + lengths.reduce((total, length) => total + Math.max(...lengths) - length, 0);
      }, 0);
    const shuffled = new SeededRandom(9).shuffled(rows.map((_, index) => index));
    const plain = Array.from({ length: 32 }, (_, i) => shuffled.slice(i * 8, (i + 1) * 8));
    expect(padding(epochBatches(rows, { batchSize: 8, seed: 1, epoch: 0 }))).toBeLessThan(padding(plain) / 2);
  });
});

describe('batchesByLength', () => {
  it('goes from the shortest to the longest', () => {
    expect(batchesByLength(rowsOf([5, 1, 9, 1, 3]), 2)).toEqual([[1, 3], [4, 0], [2]]);
  });
});
