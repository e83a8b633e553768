/** One contract over all merge rules, on random shapes, deltas and weights; each kind is held to exactly what it promises. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { deltaNorm } from '../delta-codec.ts';
import { SeededRandom } from '../random.ts';
import {
  bOnlyRule,
  type CohortRule,
  coordinateMedianRule,
  denseRule,
  factorMeanRule,
  type FactorModule,
  factorsSize,
  factorViews,
  type MergeRule,
  multiKrumRule,
  RunningMerge,
  type SumRule,
  trimmedMeanRule,
  type WeightedDelta,
} from './index.ts';

/** A rule with deltas of clients for it, all from one seed. */
interface Case<Rule extends MergeRule> {
  rule: Rule;
  size: number;
  parts: WeightedDelta[];
}

function randomModules(random: SeededRandom): FactorModule[] {
  return Array.from({ length: 1 + random.nextInt(3) }, () => ({
    in: 1 + random.nextInt(9),
    out: 1 + random.nextInt(9),
    // Past the four rows that the dense rule takes at a time.
    rank: 1 + random.nextInt(10),
    scale: 2 ** (random.nextInt(5) - 2),
  }));
}

function randomVector(random: SeededRandom, size: number): Float32Array {
  return Float32Array.from({ length: size }, () => (random.nextUnit() - 0.5) * 10 ** (random.nextInt(4) - 2));
}

const sumRules: Record<string, (random: SeededRandom) => SumRule> = {
  'b-only': (random) => bOnlyRule(1 + random.nextInt(60)),
  'factor-mean': (random) => factorMeanRule(1 + random.nextInt(60)),
  dense(random) {
    const modules = randomModules(random);
    return denseRule(modules, randomVector(random, factorsSize(modules)));
  },
};
const cohortRules: Record<string, () => CohortRule> = {
  'coordinate-median': coordinateMedianRule,
  'trimmed-mean': () => trimmedMeanRule(2),
  'multi-krum': () => multiKrumRule(2),
};

function randomParts(random: SeededRandom, size: number, count: number): WeightedDelta[] {
  return Array.from({ length: count }, () => ({
    delta: randomVector(random, size),
    weight: (1 + random.nextInt(5000)) / 4,
  }));
}

function sumCase(name: string, seed: number): Case<SumRule> {
  const random = new SeededRandom(seed);
  const rule = sumRules[name]!(random);
  return { rule, size: rule.deltaSize, parts: randomParts(random, rule.deltaSize, 2 + random.nextInt(8)) };
}

function cohortCase(name: string, seed: number): Case<CohortRule> {
  const random = new SeededRandom(seed);
  const rule = cohortRules[name]!();
  const size = 4 + random.nextInt(60);
  return { rule, size, parts: randomParts(random, size, rule.least + 1 + random.nextInt(6)) };
}

const anyCase = (name: string, seed: number): Case<MergeRule> =>
  name in sumRules ? sumCase(name, seed) : cohortCase(name, seed);

function running(rule: SumRule, parts: readonly WeightedDelta[]): RunningMerge {
  const merge = new RunningMerge(rule);
  for (const part of parts) merge.add(part);
  return merge;
}

function merged(rule: MergeRule, parts: readonly WeightedDelta[]): Float32Array {
  return rule.kind === 'sum' ? running(rule, parts).mean() : rule.merge(parts);
}

const bits = (values: Float32Array) => new Uint32Array(values.buffer);
const sameBits = (a: RunningMerge, b: RunningMerge) => {
  expect(a.weight).toBe(b.weight);
  expect(new BigUint64Array(a.sum.buffer)).toEqual(new BigUint64Array(b.sum.buffer));
};
const seeds = { numRuns: 60 };

describe.each([...Object.keys(sumRules), ...Object.keys(cohortRules)])('every rule: %s', (name) => {
  it('bears its name and says what its kind promises', () => {
    const { rule } = anyCase(name, 1);
    const isSum = rule.kind === 'sum';
    expect(rule.name).toBe(name);
    expect([rule.orderFree, rule.online, rule.withdrawable]).toEqual([true, isSum, isSum]);
  });

  it('has the same bits for every permutation of the clients', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (seed, order) => {
        const { rule, parts } = anyCase(name, seed);
        const shuffled = new SeededRandom(order).shuffled(parts);
        expect(bits(merged(rule, shuffled))).toEqual(bits(merged(rule, parts)));
      }),
      seeds,
    );
  });

  it('gives one client back when all sent the same, however many and whatever they weigh: a mean, no sum', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { rule, parts } = anyCase(name, seed);
        const copies = parts.map(({ weight }) => ({ delta: parts[0]!.delta, weight }));
        const one = rule.kind === 'sum' ? rule.term(parts[0]!.delta) : parts[0]!.delta;
        expectClose(merged(rule, copies), one, 1e-7);
        if (rule.kind === 'sum') expectClose(merged(rule, parts.slice(0, 1)), one, 1e-7);
      }),
      seeds,
    );
  });

  it('is changed by every client: no one can be left out, first or last', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { rule, parts } = anyCase(name, seed);
        const all = merged(rule, parts);
        for (let i = 0; i < parts.length; i++) expect(merged(rule, parts.toSpliced(i, 1))).not.toEqual(all);
      }),
      seeds,
    );
  });

  it('knows shares only: weights of half the size change nothing', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { rule, parts } = anyCase(name, seed);
        const halved = parts.map(({ delta, weight }) => ({ delta, weight: weight / 2 }));
        expectClose(merged(rule, halved), merged(rule, parts), 1e-7);
      }),
      seeds,
    );
  });

  it('leaves what it is given alone', () => {
    const { rule, parts } = anyCase(name, 3);
    const before = parts.map(({ delta }) => delta.slice());
    merged(rule, parts);
    expect(parts.map(({ delta }) => delta)).toEqual(before);
  });

  it('refuses a delta of another length and one that is not finite', () => {
    const { rule, parts, size } = anyCase(name, 4);
    const { delta, weight } = parts[1]!;
    const longer = { delta: new Float32Array(size + 1), weight };
    expect(() => merged(rule, parts.with(1, longer))).toThrow(expect.objectContaining({ code: 'wrong_shape' }));
    const broken = { delta: delta.with(0, Number.NaN), weight };
    expect(() => merged(rule, parts.with(1, broken))).toThrow(expect.objectContaining({ code: 'not_finite' }));
  });
});

describe.each(Object.keys(sumRules))('sum rule: %s', (name) => {
  it('has the same bits for every grouping into partial sums, continued or added up', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (seed, cut) => {
        const { rule, parts } = sumCase(name, seed);
        const whole = running(rule, parts);
        const [first, second] = [parts.slice(0, cut % parts.length), parts.slice(cut % parts.length)];
        const left = running(rule, first);
        const continued = new RunningMerge(rule, { sum: left.sum, weight: left.weight });
        for (const part of second) continued.add(part);
        sameBits(continued, whole);
        const right = running(rule, second);
        const sum = left.sum.map((value, i) => value + right.sum[i]!);
        sameBits(new RunningMerge(rule, { sum, weight: left.weight + right.weight }), whole);
      }),
      seeds,
    );
  });

  it('after a withdrawal has the bits of never having had the contribution', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (seed, which) => {
        const { rule, parts } = sumCase(name, seed);
        const i = which % parts.length;
        const merge = running(rule, parts);
        merge.withdraw(parts[i]!);
        sameBits(merge, running(rule, parts.toSpliced(i, 1)));
      }),
      seeds,
    );
  });

  it('has no value in a term that is larger than it says for the norm', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { rule, parts } = sumCase(name, seed);
        for (const { delta } of parts) {
          const norm = deltaNorm(delta);
          const largest = rule.term(delta).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          expect(largest).toBeLessThanOrEqual(rule.largestValue(norm) * (1 + 1e-6));
          expect(rule.largestValue(2 * norm)).toBeGreaterThan(rule.largestValue(norm));
        }
      }),
      seeds,
    );
  });

  it('copies a merge, which may be a gigabyte, once, and apart from the first', () => {
    const { rule, parts } = sumCase(name, 1);
    const merge = new RunningMerge(rule);
    merge.add(parts[0]!);
    const slice = vi.spyOn(Float64Array.prototype, 'slice');
    const copy = merge.copy();
    expect(slice).toHaveBeenCalledTimes(1);
    slice.mockRestore();
    sameBits(copy, merge);
    const before = merge.sum.slice();
    copy.add(parts[1]!);
    expect(merge.sum).toEqual(before);
    expect(merge.weight).toBeLessThan(copy.weight);
  });

  it('is the weighted mean of the terms', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { rule, parts } = sumCase(name, seed);
        expectClose(merged(rule, parts), naiveMean(parts, rule.term), 1e-6);
      }),
      seeds,
    );
  });

  it('tries a contribution without taking it', () => {
    const { rule, parts } = sumCase(name, 5);
    const merge = running(rule, parts.slice(1));
    const before = running(rule, parts.slice(1));
    sameBits(merge.with(parts[0]!), running(rule, parts));
    sameBits(merge, before);
  });
});

describe.each(Object.keys(cohortRules))('cohort rule: %s', (name) => {
  it('refuses a cohort that is too small for it', () => {
    const { rule, parts } = cohortCase(name, 6);
    expect(() => rule.merge(parts.slice(0, rule.least - 1))).toThrow(RangeError);
    expect(() => rule.merge(parts.slice(0, rule.least))).not.toThrow();
  });
});

describe('what the mean stands for', () => {
  it('dense: the mean of updates', () => {
    const { modules, start, parts } = factors(1);
    const rule = denseRule(modules, start);
    const expected = naiveMean(parts, (delta) => update(modules, start, delta));
    expectClose(merged(rule, parts), expected, 1e-6);
    expect(rule.meansUpdates).toBe(true);
  });

  it('dense: a lower rank, padded with zeros, counts the same', () => {
    const { modules, start, random } = factors(2);
    const [{ in: inputs, out, scale }] = modules as [FactorModule];
    const small = [{ in: inputs, out, rank: 1, scale }];
    const delta = randomVector(random, inputs + out);
    const padded = new Float32Array(start.length);
    for (let o = 0; o < out; o++) padded[o * 3] = delta[o]!;
    padded.set(delta.subarray(out), out * 3);
    const zero = new Float32Array(start.length);
    const term = denseRule(modules, zero).term(padded);
    expect(term).toEqual(denseRule(small, new Float32Array(inputs + out)).term(delta));
  });

  it('b-only: the mean of updates, for any frozen A', () => {
    const { modules, start, parts } = factors(3);
    const trained = modules[0]!.rank * modules[0]!.out;
    const onlyB = parts.map(({ delta, weight }) => ({ delta: delta.slice().fill(0, trained), weight }));
    const rule = bOnlyRule(start.length);
    const expected = naiveMean(onlyB, (delta) => update(modules, start, delta));
    expectClose(update(modules, start, merged(rule, onlyB)), expected, 1e-6);
    expect(rule.meansUpdates).toBe(true);
  });

  it('dense: refuses a sum that is too large to keep', () => {
    const modules = [{ in: 2 ** 14, out: 2 ** 14, rank: 1, scale: 1 }];
    expect(() => denseRule(modules, new Float32Array(2 ** 15))).toThrow(/268435456 values/);
  });

  it('factor-mean: not the mean of updates, but short of it by the covariance of B and A', () => {
    const { modules, start, parts } = factors(4);
    const rule = factorMeanRule(start.length);
    const mean = merged(rule, parts);
    const expected = naiveMean(parts, (delta) => update(modules, start, delta));
    const found = update(modules, start, mean);
    expect(Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)))).toBeGreaterThan(1e-3);
    // cov(B, A) = mean((B_i - mean B)(A_i - mean A)): the update of deltas that count from the mean.
    const centre = start.map((value, i) => value + mean[i]!);
    const covariance = naiveMean(parts, (delta) => {
      const fromZero = Float32Array.from(delta, (value, i) => start[i]! + value - centre[i]!);
      return update(modules, new Float32Array(start.length), fromZero);
    });
    expectClose(
      found.map((value, i) => value + covariance[i]!),
      expected,
      1e-5,
    );
    expect(rule.meansUpdates).toBe(false);
  });
});

it('A and B as one vector: every B, then every A', () => {
  const modules = [
    { in: 3, out: 2, rank: 1, scale: 1 },
    { in: 1, out: 1, rank: 2, scale: 1 },
  ];
  const [first, second] = factorViews(
    modules,
    Float32Array.from({ length: 9 }, (_, i) => i),
  );
  expect([first!.b, first!.a, second!.b, second!.a].map((view) => [...view])).toEqual([
    [0, 1],
    [4, 5, 6],
    [2, 3],
    [7, 8],
  ]);
  expect(() => factorViews(modules, new Float32Array(8))).toThrow(/A and B of this adapter have 9/);
});

/** One module, a start and five clients. */
function factors(seed: number) {
  const random = new SeededRandom(seed);
  const modules = [{ in: 7, out: 6, rank: 3, scale: 0.5 }];
  const start = randomVector(random, factorsSize(modules));
  return { modules, start, parts: randomParts(random, start.length, 5), random };
}

/** `scale * (B A - B_0 A_0)` in the plainest way. */
function update([module]: FactorModule[], start: Float32Array, delta: ArrayLike<number>): Float64Array {
  const { in: inputs, out, rank, scale } = module!;
  const result = new Float64Array(out * inputs);
  const a = (r: number, i: number) => out * rank + r * inputs + i;
  const b = (o: number, r: number) => o * rank + r;
  const product = (o: number, i: number, at: (index: number) => number) =>
    Array.from({ length: rank }, (_, r) => at(b(o, r)) * at(a(r, i))).reduce((sum, term) => sum + term, 0);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < inputs; i++) {
      const after = product(o, i, (index) => start[index]! + delta[index]!);
      result[o * inputs + i] = scale * (after - product(o, i, (index) => start[index]!));
    }
  }
  return result;
}

function naiveMean(parts: readonly WeightedDelta[], termOf: (delta: Float32Array) => ArrayLike<number>): Float64Array {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const terms = parts.map(({ delta, weight }) => ({ term: termOf(delta), weight }));
  return Float64Array.from(terms[0]!.term, (_, i) =>
    terms.reduce((sum, { term, weight }) => sum + (weight / total) * term[i]!, 0),
  );
}

/** Every value within `tolerance`, relative where values are above 1. */
function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    expect(Math.abs(found[i]! - expected[i]!)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(expected[i]!)));
  }
}
