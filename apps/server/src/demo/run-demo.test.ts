import { contribution, evaluation, stateOf, version } from '@oneround/client/testing';
import { expect, it } from 'vitest';
import { isComplete } from './run-demo.ts';

it('a demo is over when all of it is merged and scored; what was set aside is in no version, and holds nothing up', () => {
  const merged = contribution(1, { alone: evaluation(2) });
  const quarantined = { at: 1, reason: 'against-the-mean', cosine: 0, worstLoss: null } as const;
  const aside = contribution(2, { alone: evaluation(2), foldedVersion: null, held: [], quarantined });
  const over = (...contributions: (typeof merged)[]) =>
    isComplete(stateOf({ contributions, versions: [version(0, 3), version(1, 2)] }), 2);
  expect(over(merged)).toBe(false);
  expect(over(merged, { ...aside, quarantined: null })).toBe(false);
  expect(over(merged, { ...aside, alone: null })).toBe(false);
  expect(over(merged, aside)).toBe(true);
});
