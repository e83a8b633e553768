import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partitionRecords } from './partition.ts';

const recordsOf = (sizes: Record<string, number>) =>
  Object.entries(sizes).flatMap(([domain, count]) => Array.from({ length: count }, () => ({ domain })));

describe('partitionRecords', () => {
  it('puts every record into exactly one shard, and no shard is empty', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 12, maxLength: 200 }),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom('iid' as const, 'domain' as const),
        fc.nat(),
        (domains, shards, strategy, seed) => {
          const records = domains.map((domain) => ({ domain }));
          const parts = partitionRecords(records, { shards, strategy, seed });
          expect(parts).toHaveLength(shards);
          for (const part of parts) expect(part.length).toBeGreaterThan(0);
          expect(parts.flat().toSorted((a, b) => a - b)).toEqual(records.map((_, i) => i));
        },
      ),
    );
  });

  it('iid: sizes differ by at most one, and the seed decides', () => {
    const records = recordsOf({ a: 50, b: 51 });
    const options = { shards: 4, strategy: 'iid', seed: 1 } as const;
    const sizes = partitionRecords(records, options).map((part) => part.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    expect(partitionRecords(records, options)).toEqual(partitionRecords(records, options));
    expect(partitionRecords(records, options)).not.toEqual(partitionRecords(records, { ...options, seed: 2 }));
  });

  it('domain: a shard holds one domain, and larger domains get more shards', () => {
    const records = recordsOf({ a: 60, b: 30, c: 10 });
    const parts = partitionRecords(records, { shards: 6, strategy: 'domain', seed: 1 });
    const held = parts.map((part) => new Set(part.map((index) => records[index]!.domain)));
    for (const domains of held) expect(domains.size).toBe(1);
    expect(['a', 'b', 'c'].map((domain) => held.filter((domains) => domains.has(domain)).length)).toEqual([3, 2, 1]);
  });

  it('domain: with fewer shards than domains, whole domains share a shard', () => {
    const records = recordsOf({ a: 5, b: 5, c: 5 });
    const parts = partitionRecords(records, { shards: 2, strategy: 'domain', seed: 1 });
    expect(parts.map((part) => part.length).toSorted((x, y) => x - y)).toEqual([5, 10]);
  });

  it('refuses more shards than records', () => {
    expect(() => partitionRecords([{ domain: 'a' }], { shards: 2, strategy: 'iid', seed: 1 })).toThrow(
      'data.shards: 1 records cannot fill 2 shards',
    );
  });
});
