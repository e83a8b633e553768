import { describe, expect, it } from 'vitest';
import { entryHash, verdictHash, withdrawalHash, type LedgerEntry, type LedgerVerdict } from './ledger-chain.ts';
import { sha256HexOfText } from './sha256.ts';

const entry: LedgerEntry = {
  campaignId: 'test',
  sequence: 1,
  contributionId: 'c1',
  leaseId: 'l1',
  clientId: 'abc',
  publicKey: 'ff',
  signature: 'ee',
  shardIndex: null,
  baseVersion: 0,
  layoutHash: 'aa',
  sha256: 'bb',
  bytes: 12,
  labelTokens: 10,
  examples: 3,
  steps: 4,
  localLoss: 0.5,
  norm: 1e-7,
  bytesDown: 5,
  trainingMs: 6,
  receivedAt: 7,
};

describe('a ledger row', () => {
  it('hashes to the SHA-256 of its canonical JSON, whatever the order of its fields', async () => {
    const text =
      '{"baseVersion":0,"bytes":12,"bytesDown":5,"campaignId":"test","clientId":"abc","contributionId":"c1",' +
      '"examples":3,"format":"oneround ledger 1","labelTokens":10,"layoutHash":"aa","leaseId":"l1","localLoss":0.5,' +
      '"norm":1e-7,"previousHash":"00","publicKey":"ff","receivedAt":7,"sequence":1,"sha256":"bb","shardIndex":null,' +
      '"signature":"ee","steps":4,"trainingMs":6}';
    expect(await entryHash('00', entry)).toBe(await sha256HexOfText(text));
    const reversed = Object.fromEntries(Object.entries(entry).toReversed()) as unknown as LedgerEntry;
    expect(await entryHash('00', reversed)).toBe(await entryHash('00', entry));
  });

  it('hashes to something else when any field or the row before changes', async () => {
    const hash = await entryHash('00', entry);
    expect(await entryHash('01', entry)).not.toBe(hash);
    for (const [field, value] of Object.entries(entry)) {
      const other: unknown = typeof value === 'string' ? `${value}0` : (value ?? 0) + 1;
      expect({ field, hash: await entryHash('00', { ...entry, [field]: other }) }).not.toEqual({ field, hash });
    }
  });
});

describe("a verdict's row", () => {
  const verdict: LedgerVerdict = {
    ...{ campaignId: 'test', sequence: 2, contributionId: 'c1', verdict: 'quarantined', reason: 'worse-held-out' },
    ...{ cosine: null, worstLoss: 1.5, version: 3, decidedAt: 8 },
  };

  it('hashes to the SHA-256 of its canonical JSON', async () => {
    const text =
      '{"campaignId":"test","contributionId":"c1","cosine":null,"decidedAt":8,"format":"oneround ledger 1",' +
      '"kind":"verdict","previousHash":"00","reason":"worse-held-out","sequence":2,"verdict":"quarantined","version":3,' +
      '"worstLoss":1.5}';
    expect(await verdictHash('00', verdict)).toBe(await sha256HexOfText(text));
  });

  it('hashes to something else when any field or the row before changes', async () => {
    const others: LedgerVerdict[] = [
      { ...verdict, verdict: 'admitted' },
      { ...verdict, reason: null },
      { ...verdict, cosine: 0.1 },
      { ...verdict, worstLoss: 1.6 },
      { ...verdict, version: null },
      { ...verdict, contributionId: 'c2' },
    ];
    const hashes = await Promise.all(others.map((other) => verdictHash('00', other)));
    expect(new Set([await verdictHash('00', verdict), await verdictHash('01', verdict), ...hashes]).size).toBe(8);
  });
});

describe("a withdrawal's row", () => {
  const withdrawal = { campaignId: 'test', sequence: 2, contributionId: 'c1', version: 3, withdrawnAt: 8 };

  it('hashes to the SHA-256 of its canonical JSON', async () => {
    const text =
      '{"campaignId":"test","contributionId":"c1","format":"oneround ledger 1","kind":"withdrawal",' +
      '"previousHash":"00","sequence":2,"version":3,"withdrawnAt":8}';
    expect(await withdrawalHash('00', withdrawal)).toBe(await sha256HexOfText(text));
  });

  it('hashes to something else when any field or the row before changes', async () => {
    const hash = await withdrawalHash('00', withdrawal);
    const others = [
      { ...withdrawal, contributionId: 'c2' },
      { ...withdrawal, version: null },
      { ...withdrawal, sequence: 3 },
      { ...withdrawal, withdrawnAt: 9 },
      { ...withdrawal, campaignId: 'other' },
    ];
    const hashes = await Promise.all(others.map((other) => withdrawalHash('00', other)));
    expect(new Set([hash, await withdrawalHash('01', withdrawal), ...hashes]).size).toBe(7);
  });
});
