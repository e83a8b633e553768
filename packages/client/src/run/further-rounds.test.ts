import { type MergeOutcome, Refusal, type Lease } from '@oneround/fl-core';
import { expect, it } from 'vitest';
import { FakeSocket } from '../testing/fake-socket.ts';
import type { RunEvent } from './events.ts';
import { FurtherRounds } from './further-rounds.ts';

const request = {
  campaignId: 'c',
  publicKey: '0'.repeat(64),
  device: { backend: 'wasm', description: '' },
  source: 'shard',
} as const;
const contributionId = '3b6f2a10-0000-4000-8000-000000000001';
const waiting = new Refusal('no_shard_free', 'The round ends when one more has come.');
const merged: MergeOutcome = { state: 'merged', version: 1, before: null, after: null };
const next = { leaseId: contributionId, base: { version: 1, values: null } } as Lease;

function rounds(answers: { join: () => Lease; follow: () => MergeOutcome }) {
  const events: RunEvent[] = [];
  const asked: string[] = [];
  const socket = new FakeSocket(async (name) => {
    asked.push(name);
    return name === 'join' ? answers.join() : answers.follow();
  });
  const further = new FurtherRounds(socket, request, new AbortController().signal, (event) => events.push(event));
  return { further, socket, events, asked };
}

it('joins as soon as the version is there, and says meanwhile what it waits for', async () => {
  let outcome: MergeOutcome = { state: 'waiting' };
  const { further, socket, events, asked } = rounds({
    join() {
      if (outcome.state === 'waiting') throw waiting;
      return next;
    },
    follow: () => outcome,
  });
  const joined = further.after(contributionId);
  await expect.poll(() => asked).toEqual(['join', 'follow']);
  outcome = merged;
  socket.news({ versions: [1] });
  expect(await joined).toBe(next);
  expect(asked).toEqual(['join', 'follow', 'follow', 'join']);
  expect(events).toEqual([{ type: 'phase', phase: 'between-rounds', reason: waiting.message }]);
  expect(further.areOver).toBe(false);
});

it('ends as soon as the organiser closes the campaign in the middle of the round', async () => {
  let isClosing = false;
  const { further, socket, asked } = rounds({
    join() {
      throw isClosing ? new Refusal('campaign_closed', 'This campaign takes no more contributions.') : waiting;
    },
    follow: () => ({ state: isClosing ? 'left-over' : 'waiting' }),
  });
  const joined = further.after(contributionId);
  await expect.poll(() => asked).toEqual(['join', 'follow']);
  isClosing = true;
  socket.news({ status: 'closing' });
  expect(await joined).toBeNull();
  expect(further.areOver).toBe(true);
});

it('ends when the organiser takes the contribution out, though its place is free again', async () => {
  let isWithdrawn = false;
  const { further, socket, asked } = rounds({
    join() {
      if (isWithdrawn) return next;
      throw waiting;
    },
    follow: () => ({ state: isWithdrawn ? 'withdrawn' : 'waiting' }),
  });
  const joined = further.after(contributionId);
  await expect.poll(() => asked).toEqual(['join', 'follow']);
  isWithdrawn = true;
  socket.news({ contributions: [contributionId] });
  expect(await joined).toBeNull();
  expect(further.areOver).toBe(true);
});

it.each([
  ['campaign_closed', true],
  ['quota_reached', false],
] as const)('there is none after %s', async (code, areOver) => {
  const { further } = rounds({
    join() {
      throw new Refusal(code, 'no');
    },
    follow: () => merged,
  });
  expect(await further.after(contributionId)).toBeNull();
  expect(further.areOver).toBe(areOver);
});
