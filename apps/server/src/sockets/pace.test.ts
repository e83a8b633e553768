import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Pace } from './pace.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => vi.useRealTimers());

/** Delivers what was put in, and notes what went together and when. */
function paced(tookMs = 0) {
  const waiting: number[] = [];
  const delivered: [at: number, items: number[]][] = [];
  const began = performance.now();
  const pace = new Pace({
    async deliver() {
      delivered.push([performance.now() - began, waiting.splice(0)]);
      if (tookMs > 0) await new Promise((resolve) => setTimeout(resolve, tookMs));
    },
    hasMore: () => waiting.length > 0,
    pauseMs: 200,
  });
  const put = (item: number) => {
    waiting.push(item);
    pace.wake();
  };
  return { put, delivered, pace };
}

it('delivers at once after silence, and what comes in the pause together', async () => {
  const { put, delivered } = paced();
  put(1);
  await vi.advanceTimersByTimeAsync(50);
  put(2);
  put(3);
  await vi.advanceTimersByTimeAsync(1000);
  put(4);
  expect(delivered).toEqual([
    [0, [1]],
    [200, [2, 3]],
    [1050, [4]],
  ]);
});

it('never delivers twice at a time, and rests longer after what took long', async () => {
  const { put, delivered } = paced(300);
  put(1);
  await vi.advanceTimersByTimeAsync(100);
  put(2);
  await vi.advanceTimersByTimeAsync(5000);
  expect(delivered).toEqual([
    [0, [1]],
    [1200, [2]],
  ]);
});

it('delivers the rest when it is stopped, and nothing after', async () => {
  const { put, delivered, pace } = paced();
  put(1);
  await vi.advanceTimersByTimeAsync(50);
  put(2);
  await pace.stop();
  put(3);
  await vi.advanceTimersByTimeAsync(1000);
  expect(delivered).toEqual([
    [0, [1]],
    [50, [2]],
  ]);
});
