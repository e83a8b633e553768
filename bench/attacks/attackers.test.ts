import { deltaNorm, SeededRandom } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import type { Volunteer } from '../default-campaign/volunteers.ts';
import { aLittleLess, attacksOn, disguised, gaussian } from './attackers.ts';

const random = new SeededRandom(1);
const vector = () => Float32Array.from({ length: 500 }, () => random.nextUnit() - 0.4);
const honest: Volunteer[] = Array.from({ length: 10 }, () => ({ delta: vector(), labelTokens: 200 }));
const wrong = vector();

describe('attackers', () => {
  it('are the same every time, and leave the honest alone', () => {
    const before = structuredClone(honest);
    expect(attacksOn(honest, wrong)).toEqual(attacksOn(honest, wrong));
    expect(honest).toEqual(before);
  });

  it('never send the same bytes twice: intake refuses duplicates', () => {
    for (const { deltas } of attacksOn(honest, wrong)) {
      const texts = [...deltas, ...honest.map(({ delta }) => delta)].map((delta) => delta.join());
      expect(new Set(texts).size).toBe(texts.length);
    }
  });

  it('make noise of the norm asked for, centred, in a direction of its own', () => {
    const noise = gaussian(10_000, 50, 1);
    expect(deltaNorm(noise)).toBeCloseTo(50, 3);
    expect(Math.abs(noise.reduce((sum, value) => sum + value, 0) / 10_000)).toBeLessThan(0.02);
    const outside = noise.filter((value) => Math.abs(value) > 2 * 0.5).length / 10_000;
    expect(outside).toBeGreaterThan(0.035);
    expect(outside).toBeLessThan(0.056);
    expect(gaussian(10_000, 50, 2)).not.toEqual(noise);
  });

  it('disguise a delta by next to nothing', () => {
    const copy = disguised(wrong, 1);
    const moved = copy.filter((value, i) => value !== wrong[i]).length;
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThan(20);
    expect(deltaNorm(copy.map((value, i) => value - wrong[i]!))).toBeLessThan(1e-3 * deltaNorm(wrong));
  });

  it('ALIE: the mean less some deviations', () => {
    const spread = [Float32Array.of(1, 5), Float32Array.of(3, 5)];
    expect([...aLittleLess(spread, 1.5)]).toEqual([0.5, 5]);
  });
});
