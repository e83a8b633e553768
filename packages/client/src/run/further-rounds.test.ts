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
const outcome = (version: number | null): MergeOutcome => ({ version, before: null, after: null, quarantined: false });
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
  let version: number | null = null;
  const { further, socket, events, asked } = rounds({
    join() {
      if (version === null) throw waiting;
      return next;
    },
    follow: () => outcome(version),
  });
  const joined = further.after(contributionId);
  await expect.poll(() => asked).toEqual(['join', 'follow']);
  version = 1;
  socket.news(1);
  expect(await joined).toBe(next);
  expect(asked).toEqual(['join', 'follow', 'follow', 'join']);
  expect(events).toEqual([{ type: 'phase', phase: 'between-rounds', reason: waiting.message }]);
  expect(further.areOver).toBe(false);
});

it.each([
  ['campaign_closed', true],
  ['quota_reached', false],
] as const)('there is none after %s', async (code, areOver) => {
  const { further } = rounds({
    join() {
      throw new Refusal(code, 'no');
    },
    follow: () => outcome(1),
  });
  expect(await further.after(contributionId)).toBeNull();
  expect(further.areOver).toBe(areOver);
});
