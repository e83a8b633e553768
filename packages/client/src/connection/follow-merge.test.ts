import { type MergeNews, type MergeOutcome, Refusal } from '@oneround/fl-core';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FakeSocket } from '../testing/fake-socket.ts';
import { NoAnswer } from './campaign-socket.ts';
import { followMerge } from './follow-merge.ts';

const ids = { campaignId: 'c', contributionId: '7c1f6d0a-3b1e-4a57-9c55-0d2a8a3f4b11' };
const other = '7c1f6d0a-3b1e-4a57-9c55-0d2a8a3f4b12';
const merged = { state: 'merged', version: 4 } as const;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function follow(first: () => MergeOutcome = () => ({ state: 'waiting' })) {
  const server = { asked: 0, answer: first };
  const socket = new FakeSocket(async () => {
    server.asked++;
    return server.answer();
  });
  const told: MergeOutcome[] = [];
  const errors: unknown[] = [];
  const stop = followMerge(socket, ids, {
    onOutcome: (outcome) => told.push(outcome),
    onError: (error) => errors.push(error),
    onGone: (refusal) => errors.push(refusal),
  });
  const hear = async (news: Partial<MergeNews>) => {
    socket.news(news);
    await vi.advanceTimersByTimeAsync(0);
  };
  return { server, socket, told, errors, stop, hear };
}

it('asks again when a version that matters is new or scored, and tells each outcome once', async () => {
  const { server, socket, told, stop, hear } = follow();
  await vi.advanceTimersByTimeAsync(0);
  server.answer = () => ({ ...merged, before: null, after: null });
  await hear({ versions: [4] });
  await hear({ versions: [2, 7] });
  expect(server.asked).toBe(2);
  server.answer = () => ({ ...merged, before: 2, after: null });
  socket.news({ versions: [3] });
  await hear({ versions: [3] });
  server.answer = () => ({ ...merged, before: 2, after: 1 });
  socket.reconnect();
  await vi.advanceTimersByTimeAsync(0);
  expect(told).toEqual([
    { state: 'waiting' },
    { ...merged, before: null, after: null },
    { ...merged, before: 2, after: null },
    { ...merged, before: 2, after: 1 },
  ]);
  stop();
  await hear({ versions: [4] });
  expect(told).toHaveLength(4);
});

it.each([
  [{ contributions: [other, ids.contributionId] }, 'withdrawn'],
  [{ status: 'closing' }, 'left-over'],
] as const)('asks again after %j, whatever was known', async (news, state) => {
  const { server, told, stop, hear } = follow(() => ({ ...merged, before: 2, after: null }));
  await vi.advanceTimersByTimeAsync(0);
  await hear({ contributions: [other] });
  expect(server.asked).toBe(1);
  server.answer = () => ({ state });
  await hear(news as Partial<MergeNews>);
  expect(told.at(-1)).toEqual({ state });
  stop();
});

it('asks again when there was no answer or a server in trouble, and ends when the contribution is gone', async () => {
  const { server, told, errors, stop } = follow(() => {
    throw new NoAnswer('follow', 'silence');
  });
  await vi.advanceTimersByTimeAsync(4000);
  expect([server.asked, errors.length]).toEqual([1, 1]);
  server.answer = () => {
    throw new Refusal('unavailable', 'The server cannot reach its database now; try again in a moment.');
  };
  await vi.advanceTimersByTimeAsync(10_000);
  expect([server.asked, errors.length]).toEqual([3, 3]);
  server.answer = () => {
    throw new Refusal('unknown_campaign', 'It was deleted.');
  };
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.asked).toBe(6);
  expect(errors.at(-1)).toMatchObject({ code: 'unknown_campaign' });
  expect(told).toEqual([]);
  stop();
});

it('goes on when a server knows the campaign only a little later, however often it is asked meanwhile', async () => {
  const { server, socket, told, stop } = follow(() => {
    throw new Refusal('unknown_campaign', 'This server has not opened it yet.');
  });
  for (let times = 0; times < 5; times++) {
    socket.reconnect();
    await vi.advanceTimersByTimeAsync(10);
  }
  await vi.advanceTimersByTimeAsync(5000);
  server.answer = () => ({ ...merged, before: null, after: null });
  await vi.advanceTimersByTimeAsync(5000);
  expect(told).toEqual([{ ...merged, before: null, after: null }]);
  stop();
});
