import type { MergeOutcome } from '@oneround/fl-core';
import { expect, it } from 'vitest';
import { FakeSocket } from '../testing/fake-socket.ts';
import type { RunEvent } from './events.ts';
import { outcomeOf } from './outcome.ts';

const ids = { campaignId: 'c', contributionId: '7c1f6d0a-3b1e-4a57-9c55-0d2a8a3f4b11' };

/** What a run tells of a contribution that has this outcome. */
async function toldOf(outcome: MergeOutcome): Promise<RunEvent[]> {
  const told: RunEvent[] = [];
  const socket = new FakeSocket(async () => outcome);
  const { signal: stopped } = new AbortController();
  await outcomeOf(socket, ids, { isOver: false, stopped, emit: (event) => told.push(event) });
  return told;
}

it('ends with the scores of the version that holds the contribution', async () => {
  expect(await toldOf({ version: 4, before: 2, after: 1.5, quarantined: false })).toEqual([
    { type: 'scored', version: 4, before: 2, after: 1.5 },
  ]);
});

it('ends when the contribution is set aside, before or after a version held it', async () => {
  for (const version of [null, 4]) {
    expect(await toldOf({ version, before: null, after: null, quarantined: true })).toEqual([{ type: 'set-aside' }]);
  }
});
