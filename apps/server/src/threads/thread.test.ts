import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ThreadService } from '../testing/thread-service.ts';
import { give, startThread, type Thread } from './thread.ts';

let thread: Thread<ThreadService>;

beforeEach(() => {
  thread = startThread<ThreadService>(new URL('../testing/thread-service.ts', import.meta.url), null);
});

afterEach(() => thread.stop());

it('copies bytes, with all that they share their memory with', async () => {
  const all = Uint8Array.of(1, 2, 3, 4);
  expect(await thread.call.receive(all.subarray(1, 3))).toEqual({ bytes: [2, 3], memory: 4 });
  expect(all).toEqual(Uint8Array.of(1, 2, 3, 4));
});

it('takes along bytes that are given', async () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const received = thread.call.receive(give(bytes));
  expect(bytes.byteLength).toBe(0);
  expect(await received).toEqual({ bytes: [1, 2, 3], memory: 3 });
});

it('copies bytes that are given but share their memory, and they alone', async () => {
  const all = Uint8Array.of(1, 2, 3, 4);
  expect(await thread.call.receive(give(all.subarray(1, 3)))).toEqual({ bytes: [2, 3], memory: 2 });
  expect(all).toEqual(Uint8Array.of(1, 2, 3, 4));
});

it('never takes along what is empty: a library may hand it out again', async () => {
  const empty = new Uint8Array(0);
  for (let time = 0; time < 2; time++) {
    expect(await thread.call.receive(give(empty))).toEqual({ bytes: [], memory: 0 });
  }
  // Nobody could make a view of memory that was taken along.
  expect(new Uint8Array(empty.buffer)).toHaveLength(0);
});

it('rejects a call whose argument cannot be sent, and goes on', async () => {
  const unsendable = (() => 1) as unknown as Uint8Array;
  await expect(thread.call.receive(unsendable)).rejects.toThrow('could not be cloned');
  expect(await thread.call.receive(Uint8Array.of(1))).toEqual({ bytes: [1], memory: 1 });
});
