import { contribution } from '@oneround/client/testing';
import { describe, expect, it } from 'vitest';
import { lineOfContribution } from './contribution-line.ts';

const quarantined = { at: 6000, reason: 'worse-held-out' as const, cosine: null, worstLoss: 4 };

describe('a contribution in a list', () => {
  it('has the id that it is withdrawn by, its client and its shard', () => {
    const made = contribution(4);
    expect(lineOfContribution(made, 'open')).toBe(
      `#4  ${made.contributionId}  of client4, shard 4: in versions from 4 on`,
    );
    expect(lineOfContribution(contribution(4, { shardIndex: null }), 'open')).toContain(
      'of client4, data of their own:',
    );
  });

  it.each([
    ['waiting', contribution(1, { foldedVersion: null, held: [] }), 'open'],
    ['in no version', contribution(1, { foldedVersion: null, held: [] }), 'closed'],
    ['set aside', contribution(1, { held: [{ from: 1, to: 2 }], quarantined }), 'open'],
    ['withdrawn', contribution(1, { quarantined, withdrawn: { at: 7000, version: null } }), 'open'],
    [
      'in versions from 3 on',
      contribution(1, {
        held: [
          { from: 1, to: 2 },
          { from: 3, to: null },
        ],
      }),
      'closed',
    ],
  ] as const)('is %s', (state, made, status) => {
    expect(lineOfContribution(made, status).split(': ')[1]).toBe(state);
  });
});
