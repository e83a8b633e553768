import { describe, expect, it } from 'vitest';
import { makeAdapterLayout } from '../adapter-layout.ts';
import { type CampaignConfig, mergeSettingsSchema } from '../campaign.ts';
import { campaignRule, chosenRule, type FactorModule } from './index.ts';

const layout = await makeAdapterLayout([
  { name: 'B', shape: [3, 2] },
  { name: 'A', shape: [2, 5] },
]);
const modules: FactorModule[] = [{ in: 5, out: 3, rank: 2, scale: 1 }];
const adapter = { rank: 2, alpha: 2, targetModules: ['q_proj'] };
const both = { ...adapter, seed: 1, trains: 'a-and-b' as const };
const start = { path: 'adapter/start.safetensors', bytes: 10, sha256: 'a'.repeat(64) };
const merge = (settings: object) => mergeSettingsSchema.parse(settings);
const of = (config: object) => chosenRule(config as CampaignConfig);
const rounds = { count: 2, contributions: 2, optimiser: { kind: 'fedavg' } };

describe('campaignRule', () => {
  it.each([
    [{ ...adapter, seed: 1 }, {}, 'b-only', 16],
    [{ ...adapter, seed: 1, trains: 'b' as const }, {}, 'b-only', 16],
    [{ ...adapter, start }, {}, 'b-only', 16],
    [both, {}, 'factor-mean', 16],
    [both, { rule: 'factor-mean' }, 'factor-mean', 16],
    [both, { rule: 'dense' }, 'dense', 15],
  ])('%j with %j is merged by %s', (ofAdapter, settings, name, termSize) => {
    const rule = campaignRule({ adapter: ofAdapter, layout, merge: merge(settings) }, () => ({
      modules,
      start: new Float32Array(16),
    }));
    expect(rule).toMatchObject({ name, deltaSize: 16, termSize, meansUpdates: name !== 'factor-mean' });
  });
});

describe('chosenRule', () => {
  it('is the exact one, but in rounds, unless told', () => {
    expect(of({ adapter: { ...adapter, seed: 1 }, merge: merge({}) })).toBeUndefined();
    expect(of({ adapter: { start: '../adapter' }, merge: merge({}) })).toBeUndefined();
    expect(of({ adapter: both, merge: merge({}) })).toBe('dense');
    expect(of({ adapter: both, merge: merge({ rule: 'factor-mean' }) })).toBe('factor-mean');
    expect(of({ adapter: both, merge: merge({}), rounds })).toBe('factor-mean');
  });

  it('says why it cannot be had', () => {
    const dense = merge({ rule: 'dense' });
    expect(() => of({ adapter: { ...adapter, seed: 1 }, merge: dense })).toThrow(/train A and B/);
    expect(() => of({ adapter: { start: '../adapter' }, merge: dense })).toThrow(/leave merge.rule out/);
    expect(() => of({ adapter: both, merge: dense, rounds })).toThrow(/leave rounds out/);
  });
});
