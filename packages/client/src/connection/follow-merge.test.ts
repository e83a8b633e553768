import type { MergeOutcome } from '@oneround/fl-core';
import { expect, it } from 'vitest';
import { FakeSocket } from '../testing/fake-socket.ts';
import { followMerge } from './follow-merge.ts';

const turn = () => new Promise((resolve) => setTimeout(resolve));

it('asks again when a version that matters is new or scored, and tells each outcome once', async () => {
  let outcome: MergeOutcome = { version: null, before: null, after: null, quarantined: false };
  let asked = 0;
  const socket = new FakeSocket(async () => {
    asked++;
    return outcome;
  });
  const told: MergeOutcome[] = [];
  const stop = followMerge(
    socket,
    { campaignId: 'c', contributionId: '7c1f6d0a-3b1e-4a57-9c55-0d2a8a3f4b11' },
    {
      onOutcome: (one) => told.push(one),
      onError: (error) => {
        throw error;
      },
    },
  );
  await turn();
  outcome = { version: 4, before: null, after: null, quarantined: false };
  socket.news(4);
  await turn();
  socket.news(2, 7);
  await turn();
  expect(asked).toBe(2);
  outcome = { version: 4, before: 2, after: null, quarantined: false };
  socket.news(3);
  socket.news(3);
  await turn();
  outcome = { version: 4, before: 2, after: 1, quarantined: false };
  socket.reconnect();
  await turn();
  expect(told).toEqual([
    { version: null, before: null, after: null, quarantined: false },
    { version: 4, before: null, after: null, quarantined: false },
    { version: 4, before: 2, after: null, quarantined: false },
    { version: 4, before: 2, after: 1, quarantined: false },
  ]);
  stop();
  socket.news(4);
  await turn();
  expect(told).toHaveLength(4);
});
