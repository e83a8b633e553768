import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../random.ts';
import { coordinateMedianRule, multiKrumRule, trimmedMeanRule, type WeightedDelta } from './index.ts';

const part = (values: number[], weight = 1): WeightedDelta => ({ delta: Float32Array.from(values), weight });

/** Eight honest clients near (1, 1, ...), and two who send 1000 times as much with the wrong sign. */
function withHostile(): { honest: WeightedDelta[]; all: WeightedDelta[] } {
  const random = new SeededRandom(9);
  const client = (scale: number) => part(Array.from({ length: 40 }, () => scale * (0.9 + 0.2 * random.nextUnit())));
  const honest = Array.from({ length: 8 }, () => client(1));
  return { honest, all: [client(-1000), ...honest, client(-1000)] };
}

describe('cohort rules', () => {
  it('coordinate median: the middle value, or the mean of the middle two', () => {
    const rule = coordinateMedianRule();
    expect([...rule.merge([part([1, -5]), part([3, 7]), part([2, 6])])]).toEqual([2, 6]);
    expect([...rule.merge([part([1, -5]), part([3, 7]), part([2, 6]), part([9, 8])])]).toEqual([2.5, 6.5]);
  });

  it('trimmed mean: the mean of what is left of each coordinate', () => {
    const cohort = [part([1, 100]), part([2, 1]), part([3, 2]), part([-100, 3]), part([4, 4])];
    expect([...trimmedMeanRule(1).merge(cohort)]).toEqual([2, 3]);
    expect(() => trimmedMeanRule(0)).toThrow(RangeError);
  });

  it('MultiKrum: the weighted mean of all but the f that lie apart', () => {
    const cohort = [part([1, 0], 1), part([1, 2], 3), part([50, 50], 9), part([1, 1], 1), part([1, 1], 1)];
    // Without (50, 50): (1 * 0 + 3 * 2 + 1 + 1) / 6.
    const merged = multiKrumRule(1).merge(cohort);
    expect(merged[0]).toBe(1);
    expect(merged[1]).toBeCloseTo(8 / 6, 6);
    expect(() => multiKrumRule(-1)).toThrow(RangeError);
  });

  it.each([coordinateMedianRule(), trimmedMeanRule(2), multiKrumRule(2)])(
    '$name: two hostile clients of ten move nothing out of the range of the honest ones',
    (rule) => {
      const { honest, all } = withHostile();
      rule.merge(all).forEach((value, i) => {
        const column = honest.map(({ delta }) => delta[i]!);
        expect(value).toBeGreaterThanOrEqual(Math.min(...column));
        expect(value).toBeLessThanOrEqual(Math.max(...column));
      });
    },
  );

  it('MultiKrum tells equal scores apart by content: either end of a row might be the one left out', () => {
    const row = [-2, -1, 0, 1, 2].map((value) => part([value]));
    const rule = multiKrumRule(1);
    const expected = rule.merge(row);
    expect(Math.abs(expected[0]!)).toBe(0.5);
    for (let order = 0; order < 20; order++) {
      expect(rule.merge(new SeededRandom(order).shuffled(row))).toEqual(expected);
    }
  });
});
