import { describe, expect, it } from 'vitest';
import { searchServerScale } from './index.ts';

describe('searchServerScale', () => {
  it('tries four scales and takes the one of least loss', async () => {
    const { scale, losses } = await searchServerScale(async (s) => (s - 1.4) ** 2);
    expect(scale).toBe(1.5);
    expect(losses.map((tried) => tried.scale).toSorted((a, b) => a - b)).toEqual([0.5, 1, 1.5, 2]);
  });

  it('stays at the mean where nothing is better', async () => {
    expect((await searchServerScale(async () => 2)).scale).toBe(1);
  });

  it('passes over a scale that breaks the model, and says when all do', async () => {
    expect((await searchServerScale(async (s) => (s > 1 ? Number.NaN : 1 / s))).scale).toBe(1);
    await expect(searchServerScale(async () => Infinity)).rejects.toThrow(RangeError);
  });
});
