import { Refusal } from '@oneround/fl-core';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Thread } from '../threads/thread.ts';
import { startEvaluationQueue, type EvaluationQueue } from './evaluation-queue.ts';
import type { Evaluator } from './evaluator.ts';

let queue: EvaluationQueue;
/** What recording a result fails with, if it does. */
let failure: Error | null;
/** Scores that are wanted. */
let wanted: number;
/** When something failed, in milliseconds since the start. */
let failed: number[];
let threads: { started: number; stopped: number };

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  [failure, wanted, failed, threads] = [null, 1, [], { started: 0, stopped: 0 }];
  const call = { isLoaded: async () => true, score: async () => ({ loss: 1, accuracy: 0, examples: 1, domains: {} }) };
  queue = startEvaluationQueue({
    unevaluated: async () => (wanted > 0 ? [{ kind: 'version', version: 0 }] : []),
    change: async () => ({ kind: 'adapter', values: new Float32Array(1) }),
    record: async () => {
      if (failure) throw failure;
      wanted--;
    },
    startThread: () => {
      threads.started++;
      return { call, stop: async () => void threads.stopped++ } as unknown as Thread<Evaluator>;
    },
    onError: () => failed.push(Date.now()),
  });
});

afterEach(async () => {
  await queue.stop();
  vi.useRealTimers();
});

it('pauses ever longer while the disk is full, however often it is woken, and keeps its thread', async () => {
  failure = new Refusal('storage_full', 'no room');
  queue.wake();
  for (let second = 0; second < 200; second++) {
    await vi.advanceTimersByTimeAsync(1000);
    queue.wake();
  }
  expect(failed).toEqual([0, 2000, 6000, 14_000, 30_000, 62_000, 122_000, 182_000]);
  expect(threads).toEqual({ started: 1, stopped: 0 });
  failure = null;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(wanted).toBe(0);
  // After a success it is as quick as at first.
  [wanted, failure, failed] = [1, new Refusal('storage_full', 'no room'), []];
  queue.wake();
  await vi.advanceTimersByTimeAsync(2000);
  expect(failed).toHaveLength(2);
});

it('starts another thread when something broke', async () => {
  failure = new Error('the thread died');
  queue.wake();
  await vi.advanceTimersByTimeAsync(1000);
  failure = null;
  await vi.advanceTimersByTimeAsync(1000);
  expect([wanted, threads]).toEqual([0, { started: 2, stopped: 1 }]);
});

it('looks no more once it is stopped in a pause', async () => {
  failure = new Refusal('storage_full', 'no room');
  queue.wake();
  await vi.advanceTimersByTimeAsync(1000);
  await queue.stop();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(failed).toHaveLength(1);
});
