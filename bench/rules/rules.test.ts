import { SeededRandom } from '@oneround/fl-core';
import { adaptedModules, adapterFactors, adapterSize, type LoraSpec } from '@oneround/lora/adapter';
import { describe, expect, it } from 'vitest';
import { config } from '../default-campaign/volunteers.ts';
import { meanUpdate, relativeError, updateOf } from './mean-update.ts';
import { publications } from './publish.ts';
import { header, line } from './table.ts';

const base: LoraSpec = { rank: 2, alpha: 4, targetModules: ['v_proj'], seed: 1 };
const random = new SeededRandom(3);

/** Three clients of a small adapter of the default campaign's model, and the mean of their updates. */
function clientsOf(trains: 'b' | 'a-and-b') {
  const spec = { ...base, trains };
  const parts = [1, 2, 5].map((weight) => ({
    delta: Float32Array.from({ length: adapterSize(config, spec) }, () => random.nextUnit() - 0.5),
    weight,
  }));
  const modules = adaptedModules(config, spec);
  const clients = parts.map(({ delta, weight }) => ({ factors: adapterFactors(config, spec, delta), weight }));
  return { spec, parts, modules, exact: meanUpdate(modules, clients) };
}

/** What each rule publishes of those clients, and how far it is from that mean. */
function errors(trains: 'b' | 'a-and-b') {
  const { spec, parts, modules, exact } = clientsOf(trains);
  return publications(spec, parts).map(({ rule, published, lost, stateBytes }) => ({
    ...{ rule, lost, stateBytes },
    error: relativeError('update' in published ? published.update : updateOf(modules, published.factors), exact),
  }));
}

describe('what is published against the mean of updates', () => {
  it('is that mean where only B is trained', () => {
    const [bOnly] = errors('b');
    expect(bOnly).toMatchObject({ rule: 'b-only', lost: null, stateBytes: 8 * 6 * 64 * 2 });
    expect(bOnly!.error).toBeLessThan(1e-6);
  });

  it('is off by what the factor mean misses, or the rank has no room for, and else by rounding', () => {
    const [factorMean, cut, whole] = errors('a-and-b');
    expect(factorMean).toMatchObject({ rule: 'factor-mean', stateBytes: 8 * 6 * (64 + 192) * 2 });
    expect(factorMean!.error).toBeGreaterThan(0.1);
    expect(cut).toMatchObject({ rule: 'dense, rank 2', stateBytes: 8 * 6 * 64 * 192 });
    expect(cut!.error).toBeCloseTo(Math.sqrt(cut!.lost!), 4);
    expect(cut!.error).toBeGreaterThan(0.1);
    expect(whole!.error).toBeLessThan(1e-6);
  });
});

it('an update in the plainest way', () => {
  const module = { name: 'm', in: 2, out: 2, rank: 1, scale: 3 };
  const one = { a: [Float32Array.of(1, 2)], values: Float32Array.of(1, -1) };
  const other = { a: [Float32Array.of(4, 0)], values: Float32Array.of(0, 1) };
  expect([...updateOf([module], one)]).toEqual([3, 6, -3, -6]);
  const mean = meanUpdate(
    [module],
    [
      { factors: one, weight: 3 },
      { factors: other, weight: 1 },
    ],
  );
  expect([...mean]).toEqual([2.25, 4.5, 0.75, -4.5]);
  expect(relativeError([3, 4], [3, 0])).toBeCloseTo(4 / 3);
  expect(() => relativeError([1], [1, 2])).toThrow(RangeError);
});

it('a row lies under its titles', () => {
  const row = {
    ...{ rule: 'dense, rank 64', trains: 'A and B' as const, learningRate: 0.005, loss: 0.25, accuracy: 0.9 },
    ...{ bytesUp: 1_384_000, stateBytes: 18_874_368, mergeMs: 250.4, exportMs: 4000, error: 3e-8, lost: 0.125 },
  };
  expect(line(row)).toHaveLength(header().length);
  expect(line(row).split(/\s{2,}/)).toEqual([
    'dense, rank 64',
    'A and B',
    '0.005',
    '0.2500',
    '90.0 %',
    '1.38',
    '18.9',
    '250',
    '4000',
    '3e-8',
    '12.5 %',
  ]);
  expect(line({ ...row, lost: null, error: 0.25 })).toMatch(/25\.0 % +$/u);
});
