import { contribution } from '@oneround/client/testing';
import { describe, expect, it } from 'vitest';
import { consequences } from './withdraw.ts';

const found = { ...contribution(2), campaign: 'moods', status: 'open' as const };

describe('what withdrawing does', () => {
  it('is a new version, and a free shard while the campaign takes contributions', () => {
    expect(consequences(found)).toMatch(
      /Versions from 2 on hold it: .* a new version without it follows \(.*refuses.*\)\. Its shard may/,
    );
    for (const status of ['closing', 'closed'] as const) {
      expect(consequences({ ...found, status })).toMatch(
        /a new version without it follows \(.*\)\. Its delta and its row stay/,
      );
    }
  });

  it('is nothing where it was done before', () => {
    const withdrawn = { at: Date.UTC(2026, 10, 21), version: 3 };
    expect(() => consequences({ ...found, withdrawn })).toThrow(
      'The contribution #2 of client client2 to "moods" was withdrawn on 2026-11-21T00:00:00.000Z: version 3 is without it.',
    );
    expect(() => consequences({ ...found, withdrawn: { ...withdrawn, version: null } })).toThrow('no version held it');
  });
});
