import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ProgressReporter } from './progress-reporter.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** A reporter of a server that wants to hear every `pauseMs`, and the steps that it hears. */
function reporterTo(pauseMs: number | null) {
  const heard: [string, number][] = [];
  const reporter = new ProgressReporter(async ({ phase, step }) => {
    heard.push([phase, step]);
    return pauseMs;
  });
  return { reporter, heard };
}

it('sends the newest figures, once a second or as seldom as the server wants', async () => {
  for (const [pauseMs, seconds] of [
    [null, 1],
    [10, 1],
    [5000, 5],
  ] as const) {
    const { reporter, heard } = reporterTo(pauseMs);
    for (let step = 1; step < 100; step++) {
      reporter.report({ phase: 'training', step });
      await vi.advanceTimersByTimeAsync(100);
    }
    reporter.stop();
    expect(heard).toHaveLength(10 / seconds);
    expect(heard[1]).toEqual(['training', 10 * seconds]);
  }
});

it('does not keep a new phase waiting for that', async () => {
  const { reporter, heard } = reporterTo(60_000);
  reporter.report({ phase: 'training', step: 1 });
  await vi.advanceTimersByTimeAsync(100);
  reporter.report({ step: 2 });
  reporter.report({ phase: 'uploading', step: 3 });
  await vi.advanceTimersByTimeAsync(900);
  expect(heard).toEqual([
    ['training', 1],
    ['uploading', 3],
  ]);
});
