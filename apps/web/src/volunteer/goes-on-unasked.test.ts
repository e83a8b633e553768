import { expect, it } from 'vitest';
import { goesOnUnasked } from './goes-on-unasked.ts';

const now = 1_700_000_000_000;
const interrupted = { step: 3, steps: 10, paused: false, savedAt: now - 60_000, ownFile: null };

it.each([
  ['interrupted in training, which goes on', {}, true],
  ['interrupted before its first step, which is offered', { step: 0, steps: 0 }, false],
  ['paused, which is offered', { paused: true }, false],
  ['interrupted an hour ago, which is offered', { savedAt: now - 3_600_000 }, false],
])('a run that was %s', (_, difference, expected) => {
  expect(goesOnUnasked({ ...interrupted, ...difference }, now)).toBe(expected);
});
