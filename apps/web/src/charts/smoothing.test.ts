import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toCsv } from './csv.ts';
import { smoothed, smoothingFactor } from './smoothing.ts';

const losses = fc.array(fc.double({ min: 0, max: 20, noNaN: true }), { minLength: 1, maxLength: 200 });

describe('smoothing', () => {
  it('starts at the first value and stays within the range of the data', () => {
    fc.assert(
      fc.property(losses, fc.double({ min: 0, max: 0.99, noNaN: true }), (values, factor) => {
        const result = smoothed(values, factor);
        expect(result[0]).toBeCloseTo(values[0]!, 9);
        for (const value of result) {
          expect(value).toBeGreaterThanOrEqual(Math.min(...values) - 1e-9);
          expect(value).toBeLessThanOrEqual(Math.max(...values) + 1e-9);
        }
      }),
    );
  });

  it('leaves a constant alone', () => {
    for (const value of smoothed(Array<number>(50).fill(3), 0.9)) expect(value).toBeCloseTo(3, 12);
  });

  it('smooths short curves little and never more than fifty points', () => {
    expect(smoothingFactor(5)).toBe(0);
    expect(smoothingFactor(1_000_000)).toBeCloseTo(0.98, 12);
  });
});

it('writes a CSV with empty fields for what is not known', () => {
  expect(
    toCsv(
      ['step', 'loss'],
      [
        [1, 2.5],
        [2, null],
      ],
    ),
  ).toBe('step,loss\n1,2.5\n2,\n');
});
