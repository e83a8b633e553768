import { describe, expect, it } from 'vitest';
import { DEFAULT_SHAPE, flopsPerStep } from './shape.ts';
import { makeBatch, makeWeights } from './weights.ts';

describe('the problem of the step bench', () => {
  it('has the same weights every time, of unit scale where it should', () => {
    const small = { ...DEFAULT_SHAPE, layers: 1, vocabulary: 8 };
    const { values, shape } = makeWeights(small).frozen.layers[0]!.down;
    expect(shape).toEqual([384, 128]);
    expect([...makeWeights(small).frozen.layers[0]!.down.values]).toEqual([...values]);
    const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length;
    expect(variance * 384).toBeCloseTo(1, 1);
  });

  it('has tokens of the vocabulary, each the target of the one before', () => {
    const { ids, targets } = makeBatch(DEFAULT_SHAPE);
    expect(Math.max(...ids, ...targets)).toBeLessThan(DEFAULT_SHAPE.vocabulary);
    expect([...ids.slice(1, 64)]).toEqual([...targets.slice(0, 63)]);
  });

  it('costs the 2.13 GFLOP a step of the peers, and less when A is frozen', () => {
    expect(flopsPerStep(DEFAULT_SHAPE) / 1e9).toBeCloseTo(2.13, 2);
    const saved = flopsPerStep(DEFAULT_SHAPE) - flopsPerStep({ ...DEFAULT_SHAPE, trained: 'b' });
    expect(saved).toBe(2 * 512 * 4 * 2 * 128 * 8);
  });
});
