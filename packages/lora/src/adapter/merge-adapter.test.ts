import { describe, expect, it } from 'vitest';
import { referenceLogits } from '../reference/index.ts';
import { fixtureAdapters, loadFixture, randomTensors, relativeError, tinyConfig } from '../testing/index.ts';
import { adaptedModules, mergeAdapter, publishedA } from './index.ts';

describe('mergeAdapter', () => {
  it.each(fixtureAdapters)('%s, %s: the merged model has the logits of base and adapter', (name, which) => {
    const { config, tensors, adapter, ids } = loadFixture(name, which);
    const merge = mergeAdapter(config, adapter);
    const merged = new Map(
      [...tensors].map(([tensor, entry]) => [tensor, { ...entry, values: merge(tensor, entry.values) }]),
    );
    const row = ids[0]!;
    const expected = referenceLogits({ config, tensors }, adapter, row);
    expect(relativeError(referenceLogits({ config, tensors: merged }, null, row), expected)).toBeLessThan(1e-6);
    expect(relativeError(referenceLogits({ config, tensors }, null, row), expected)).toBeGreaterThan(1e-3);
  });

  it('hands on what no adapter touches, and changes nothing in place', () => {
    const config = tinyConfig();
    const spec = { rank: 2, alpha: 4, targetModules: ['q_proj'], seed: 1 };
    const size = adaptedModules(config, spec).reduce((sum, { out, rank }) => sum + out * rank, 0);
    const adapter = { spec, a: publishedA(config, spec), values: new Float32Array(size).fill(0.1) };
    const merge = mergeAdapter(config, adapter);
    for (const [name, { values }] of randomTensors(config, 3)) {
      const before = values.slice();
      const merged = merge(name, values);
      expect(merged === values).toBe(!name.endsWith('q_proj.weight'));
      expect(values).toEqual(before);
    }
  });

  it('changes nothing at all by a B of zeros', () => {
    const config = tinyConfig();
    const spec = { rank: 2, alpha: 4, targetModules: ['q_proj'], seed: 1 };
    const size = adaptedModules(config, spec).reduce((sum, { out, rank }) => sum + out * rank, 0);
    const merge = mergeAdapter(config, { spec, a: publishedA(config, spec), values: new Float32Array(size) });
    for (const [name, { values }] of randomTensors(config, 3)) expect(merge(name, values)).toEqual(values);
  });
});
