import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { adapterSpecSchema, campaignConfigSchema } from './campaign.ts';

const choice = campaignConfigSchema.shape.adapter;
const fresh = { rank: 4, alpha: 8, targetModules: ['q_proj'], seed: 1 };
const file = { path: 'adapter/start.safetensors', bytes: 10, sha256: 'a'.repeat(64) };

function refusal(schema: z.ZodType, value: unknown): string {
  const { error } = schema.safeParse(value);
  return error ? z.prettifyError(error) : 'accepted';
}

describe('the adapter of a campaign file', () => {
  it.each<[string, object]>([
    ['fresh', fresh],
    ['with patterns', { ...fresh, rankPattern: { '.*k_proj': 2 }, alphaPattern: { q_proj: 0.5 }, useRslora: true }],
    ['trained on both sides', { ...fresh, trains: 'a-and-b' }],
    ['a start', { start: '../adapter' }],
  ])('%s stays as it is', (_, adapter) => {
    expect(choice.parse(adapter)).toEqual(adapter);
  });

  it('keeps the order of its fields, which the definition hash depends on', () => {
    const { seed, ...rest } = fresh;
    expect(JSON.stringify(choice.parse({ seed, ...rest }))).toBe(JSON.stringify(fresh));
  });

  it.each<[object, RegExp]>([
    [{ ...fresh, rank: 0 }, /rank/],
    [{ ...fresh, alpha: '8' }, /alpha/],
    [{ ...fresh, rankPattern: { q_proj: 1.5 } }, /rankPattern\.q_proj/],
    [{ ...fresh, targetModules: ['q_proj', 'q_proj'] }, /named twice/],
    [{ ...fresh, start: 'adapter' }, /start/],
    [{ ...fresh, trains: 'a' }, /trains/],
    [{ start: '../adapter', trains: 'a-and-b' }, /trains/],
    [{ start: '' }, /adapter\.start|start/],
    [{}, /"start".*rank/s],
  ])('refuses %j in words', (adapter, problem) => {
    expect(refusal(choice, adapter)).toMatch(problem);
  });
});

describe('the upload and the lease of a campaign file', () => {
  const { upload, lease } = campaignConfigSchema.shape;

  it('have a default for each field, whichever of the others is given', () => {
    for (const given of [undefined, {}]) {
      expect(upload.parse(given)).toEqual({ codec: 'f32', maxNorm: 100 });
      expect(lease.parse(given)).toEqual({ ttlMs: 30_000, heartbeatMs: 5000 });
    }
    expect(upload.parse({ codec: 'int8' })).toEqual({ codec: 'int8', maxNorm: 100 });
    expect(upload.parse({ maxNorm: 5 })).toEqual({ codec: 'f32', maxNorm: 5 });
    expect(lease.parse({ ttlMs: 60_000 })).toEqual({ ttlMs: 60_000, heartbeatMs: 5000 });
    expect(lease.parse({ heartbeatMs: 1000 })).toEqual({ ttlMs: 30_000, heartbeatMs: 1000 });
  });

  it('show a client three times in a lease at least', () => {
    expect(lease.parse({ ttlMs: 1000 })).toEqual({ ttlMs: 1000, heartbeatMs: 200 });
    expect(lease.parse({ ttlMs: 3000, heartbeatMs: 1000 })).toEqual({ ttlMs: 3000, heartbeatMs: 1000 });
    const problem = refusal(lease, { ttlMs: 1000, heartbeatMs: 5000 });
    expect(problem).toMatch(/5000 is more than a third of ttlMs \(1000\).*heartbeatMs/s);
    expect(refusal(lease, { heartbeatMs: 20_000 })).toMatch(/more than a third of ttlMs \(30000\)/);
  });
});

describe('the adapter of a manifest', () => {
  const { seed: _seed, ...shape } = fresh;

  it('has a seed or a start, not both and not neither', () => {
    expect(adapterSpecSchema.parse(fresh)).toEqual(fresh);
    expect(adapterSpecSchema.parse({ ...shape, start: file })).toEqual({ ...shape, start: file });
    expect(refusal(adapterSpecSchema, { ...fresh, start: file })).not.toBe('accepted');
    expect(refusal(adapterSpecSchema, shape)).not.toBe('accepted');
  });
});
