import { expect, it, vi } from 'vitest';
import { DiskGuard } from './disk-guard.ts';
import { Readiness } from './readiness.ts';

it('says why a server is not ready, from its start to its end', async () => {
  vi.useFakeTimers();
  try {
    let [evaluates, free, time] = [false, 0, 0];
    const silence = new Promise<object>(() => undefined);
    let answer = silence;
    const disk = new DiskGuard({
      dataDir: '/data',
      minFreeBytes: 1,
      freeBytes: async () => free,
      now: () => (time += 10_000),
      onChange: () => undefined,
    });
    const readiness = new Readiness({ ledger: () => answer, evaluates: () => evaluates, disk });
    expect(readiness.isStarting).toBe(true);
    expect(await readiness.reason()).toMatch(/being migrated/);
    readiness.serve();
    expect(readiness.isStarting).toBe(false);
    const stuck = readiness.reason();
    await vi.advanceTimersByTimeAsync(2000);
    expect(await stuck).toMatch(/ledger thread does not answer/);
    answer = Promise.reject(new Error('the thread has ended'));
    expect(await readiness.reason()).toMatch(/ledger thread does not answer/);
    answer = Promise.resolve({});
    expect(await readiness.reason()).toMatch(/evaluation worker/);
    evaluates = true;
    expect(await readiness.reason()).toMatch(/disk is nearly full/);
    free = 1;
    expect(await readiness.reason()).toBeNull();
    readiness.close();
    expect(await readiness.reason()).toMatch(/shutting down/);
  } finally {
    vi.useRealTimers();
  }
});
