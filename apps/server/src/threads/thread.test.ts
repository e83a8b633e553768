import { constants, getPriority } from 'node:os';
import { afterEach, expect, it } from 'vitest';
import type { ThreadService } from '../testing/thread-service.ts';
import { give, startThread, type Priority, type Thread } from './thread.ts';

const module = new URL('../testing/thread-service.ts', import.meta.url);
let threads: Thread<ThreadService>[] = [];

function start(priority: Priority): Thread<ThreadService> {
  const thread = startThread<ThreadService>(module, null, priority);
  threads.push(thread);
  return thread;
}

afterEach(async () => {
  await Promise.all(threads.map((thread) => thread.stop()));
  threads = [];
});

it('takes along the bytes that are given, and copies others', async () => {
  const { call } = start('foreground');
  const kept = Uint8Array.of(1, 2, 3);
  expect(await call.echo(kept)).toEqual(Uint8Array.of(1, 2, 3));
  expect(kept).toEqual(Uint8Array.of(1, 2, 3));

  const given = Uint8Array.of(1, 2, 3);
  const answered = call.echo(give(given));
  expect(given.byteLength).toBe(0);
  expect(await answered).toEqual(Uint8Array.of(1, 2, 3));
});

it('copies bytes that are given but lie in a memory with others', async () => {
  const { call } = start('foreground');
  const all = Uint8Array.of(1, 2, 3, 4);
  const part = all.subarray(1, 3);
  expect(await call.echo(give(part))).toEqual(Uint8Array.of(2, 3));
  expect(all).toEqual(Uint8Array.of(1, 2, 3, 4));
});

it.runIf(process.platform === 'linux')('yields to the other threads in the background, and there alone', async () => {
  const [foreground, background] = [start('foreground'), start('background')];
  expect(await foreground.call.niceness()).toBe(getPriority());
  expect(await background.call.niceness()).toBe(Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL));
});
