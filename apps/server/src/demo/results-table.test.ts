import type { CampaignState, Contribution, Version } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import { formatBytes, resultsTable } from './results-table.ts';

const evaluation = (loss: number, accuracy: number) => ({ loss, accuracy, examples: 10, domains: {} });

const version = (number: number, loss: number): Version => ({
  version: number,
  sha256: 'a'.repeat(64),
  exportSha256: 'b'.repeat(64),
  labelTokens: 10,
  scale: 1,
  createdAt: 1,
  evaluation: evaluation(loss, 0.5),
});

const contribution: Contribution = {
  contributionId: '7c1f6d0a-3b1e-4a57-9c55-0d2a8a3f4b11',
  sequence: 1,
  clientId: 'abcdef012345',
  leaseId: '0f9a1a52-5e0e-4d0e-8a52-3a4f3f1f7c22',
  shardIndex: 3,
  labelTokens: 10,
  examples: 5,
  steps: 4,
  localLoss: 1,
  norm: 1,
  bytesUp: 12_345,
  bytesDown: 1_500_000,
  trainingMs: 2500,
  foldedVersion: 1,
  receivedAt: 1,
  held: [{ from: 1, to: null }],
  quarantined: null,
  withdrawn: null,
  alone: null,
};

describe('resultsTable', () => {
  it('lists the start, every client alone and every version, and a dash where nothing was measured', () => {
    const versions = [version(0, 5.25), version(1, 2.5)];
    const lines = resultsTable({ versions, contributions: [contribution] } as unknown as CampaignState);
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/^start +5\.2500 +50\.0 %$/);
    expect(lines[2]).toMatch(/^client abcdef alone \(shard 3\) +- +- +1\.5 MB +12\.3 kB +2\.5 s$/);
    expect(lines[3]).toMatch(/^global, version 1 \(1 client\) +2\.5000 +50\.0 %$/);
  });
});

describe('formatBytes', () => {
  it('uses decimal units', () => {
    expect([999, 1000, 2_300_000].map(formatBytes)).toEqual(['999 B', '1.0 kB', '2.3 MB']);
  });
});
