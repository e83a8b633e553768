import { type MergeOutcome, Refusal } from '@oneround/fl-core';
import { expect, it, vi } from 'vitest';
import { FakeSocket } from '../testing/fake-socket.ts';
import type { RunEvent } from './events.ts';
import { outcomeOf } from './outcome.ts';

const ids = { campaignId: 'c', contributionId: '7c1f6d0a-3b1e-4a57-9c55-0d2a8a3f4b11' };
const merged = { state: 'merged', version: 4 } as const;

/** A contribution that is followed, and what the run tells of it. */
function follow(answer: () => MergeOutcome, untilScored = true) {
  const told: RunEvent[] = [];
  const socket = new FakeSocket(async () => answer());
  const stop = new AbortController();
  const emit = (event: RunEvent) => void told.push(event);
  return { told, socket, stop, done: outcomeOf(socket, ids, { untilScored, stopped: stop.signal, emit }) };
}

it('ends with the scores of the version that holds the contribution', async () => {
  const { told, done } = follow(() => ({ ...merged, before: 2, after: 1.5 }));
  await done;
  expect(told).toEqual([{ type: 'scored', version: 4, before: 2, after: 1.5 }]);
});

it('ends with the version, scored or not, when no more is asked', async () => {
  const { told, done } = follow(() => ({ ...merged, before: null, after: null }), false);
  await done;
  expect(told).toHaveLength(1);
});

it.each(['set-aside', 'withdrawn', 'left-over'] as const)(
  'ends when the contribution is %s, before or after a version held it',
  async (state) => {
    for (const before of [{ state: 'waiting' }, { ...merged, before: 2, after: null }] satisfies MergeOutcome[]) {
      let outcome: MergeOutcome = before;
      const { told, socket, done } = follow(() => outcome);
      await new Promise((resolve) => setTimeout(resolve));
      outcome = { state };
      socket.news({ contributions: [ids.contributionId] });
      await done;
      expect(told.at(-1)).toEqual({ type: 'not-merged', why: state });
    }
  },
);

it('ends when the volunteer stops, and when the campaign is no more', async () => {
  const stopped = follow(() => ({ state: 'waiting' }));
  stopped.stop.abort();
  await stopped.done;
  expect(stopped.told).toEqual([]);
  vi.useFakeTimers();
  try {
    const deleted = follow(() => {
      throw new Refusal('unknown_campaign', 'no');
    });
    const refusal = deleted.done.catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await refusal).toMatchObject({ code: 'unknown_campaign' });
  } finally {
    vi.useRealTimers();
  }
});
