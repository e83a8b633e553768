import { describe, expect, it } from 'vitest';
import { learningRateAt } from './schedule.ts';

describe('learningRateAt', () => {
  const rates = Array.from({ length: 20 }, (_, i) =>
    learningRateAt(i + 1, { totalSteps: 20, warmupRatio: 0.2, peak: 1 }),
  );

  it('rises in equal steps to the peak, then falls to nearly nothing and never to zero', () => {
    expect(rates.slice(0, 4)).toEqual([0.25, 0.5, 0.75, 1]);
    for (let i = 4; i < 20; i++) expect(rates[i]).toBeLessThan(rates[i - 1]!);
    expect(rates.at(-1)).toBeGreaterThan(0);
    expect(rates.at(-1)).toBeLessThan(0.02);
  });

  it('starts at once without warm-up', () => {
    expect(learningRateAt(1, { totalSteps: 1000, warmupRatio: 0, peak: 1 })).toBeCloseTo(1, 5);
  });
});
