import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bOnlyRule, contributionWeights, RunningMerge } from './index.ts';

const from = (clientId: string, labelTokens: number) => ({ clientId, labelTokens });

describe('contributionWeights', () => {
  it('counts label tokens, or contributions', () => {
    const contributions = [from('a', 30), from('b', 10)];
    expect(contributionWeights({ by: 'label-tokens' }, contributions, 0.5)).toEqual([15, 5]);
    expect(contributionWeights({ by: 'equal' }, contributions, 0.5)).toEqual([0.5, 0.5]);
  });

  it('caps what a client counts in all, shared in proportion, and nobody else', () => {
    const contributions = [from('a', 300), from('b', 90), from('a', 100)];
    expect(contributionWeights({ by: 'label-tokens', clientCap: 100 }, contributions, 1)).toEqual([75, 90, 25]);
    expect(contributionWeights({ by: 'equal', clientCap: 1 }, contributions, 1)).toEqual([0.5, 1, 0.5]);
  });

  it('gives multiples of 2^-30, never none, whatever the order; a client never passes its cap', () => {
    const contribution = fc.record({
      clientId: fc.constantFrom('a', 'b', 'c'),
      labelTokens: fc.integer({ min: 1, max: 1e6 }),
    });
    fc.assert(
      fc.property(
        fc.array(contribution, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 1e5 }),
        (all, cap) => {
          const policy = { by: 'label-tokens', clientCap: cap } as const;
          const weights = contributionWeights(policy, all, 2 ** -4);
          for (const weight of weights) {
            expect(weight).toBeGreaterThan(0);
            expect(Number.isInteger(weight * 2 ** 30)).toBe(true);
          }
          expect(contributionWeights(policy, all.toReversed(), 2 ** -4)).toEqual(weights.toReversed());
          for (const client of ['a', 'b', 'c']) {
            const total = weights.reduce((sum, weight, i) => sum + (all[i]!.clientId === client ? weight : 0), 0);
            expect(total).toBeLessThanOrEqual(cap * 2 ** -4 + 12 * 2 ** -30);
          }
        },
      ),
    );
  });

  it('a running merge follows a cap exactly: out at the old weight, in at the new', () => {
    const deltas = [1, 2, 3].map((value) => Float32Array.of(value, -value / 3));
    const contributions = [from('a', 300), from('b', 90), from('a', 100)];
    const policy = { by: 'label-tokens', clientCap: 100 } as const;
    const [before, after] = [contributions.slice(0, 2), contributions].map((set) =>
      contributionWeights(policy, set, 1),
    );
    const merge = new RunningMerge(bOnlyRule(2));
    before!.forEach((weight, i) => merge.add({ delta: deltas[i]!, weight }));
    merge.withdraw({ delta: deltas[0]!, weight: before![0]! });
    merge.add({ delta: deltas[0]!, weight: after![0]! });
    merge.add({ delta: deltas[2]!, weight: after![2]! });
    const fresh = new RunningMerge(bOnlyRule(2));
    after!.forEach((weight, i) => fresh.add({ delta: deltas[i]!, weight }));
    expect(merge.sum).toEqual(fresh.sum);
    expect(merge.weight).toBe(fresh.weight);
  });
});
