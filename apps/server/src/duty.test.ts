/** Rounds of duty that fail: what the ledger tells once is not lost. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startDuty, type Duty, type DutyParts } from './duty.ts';

const nothingNew = { leads: true, unfolded: [], gone: [], opened: [], failures: [] };

let duty: Duty;

beforeEach(() => vi.useFakeTimers());
afterEach(async () => {
  await duty.stop();
  vi.useRealTimers();
});

it('forgets, and opens, in the next round what it could not in this one, and says once that it fails', async () => {
  const news = [nothingNew, { ...nothingNew, gone: ['old', 'older', 'replaced'], opened: ['replaced', 'new'] }];
  const done: string[] = [];
  const errors: unknown[] = [];
  let failures = 2;
  const parts: DutyParts = {
    catchUp: async () => news.shift() ?? nothingNew,
    onLead: async () => {},
    fold: () => {},
    async forget(campaignId) {
      if (campaignId === 'older' && failures-- > 0) throw new Error('no answer');
      done.push(`forget ${campaignId}`);
    },
    async onOpened(campaignId) {
      done.push(`open ${campaignId}`);
    },
    sweep: async () => {},
    onError: (error) => errors.push(error),
  };
  duty = await startDuty(parts);
  await vi.advanceTimersByTimeAsync(1100);
  expect(done).toEqual(['forget old']);
  expect(duty.isOurs()).toBe(false);
  expect(errors).toEqual([new Error('no answer')]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(done).toEqual(['forget old', 'forget older', 'forget replaced', 'open replaced', 'open new']);
  expect(duty.isOurs()).toBe(true);
  expect(errors).toHaveLength(1);
});

it('opens nothing that is gone before it could be', async () => {
  const news = [nothingNew, { ...nothingNew, opened: ['brief'] }, { ...nothingNew, gone: ['brief'] }];
  const forgotten: string[] = [];
  const opening = vi.fn(async () => {
    throw new Error('no answer');
  });
  const parts: DutyParts = {
    catchUp: async () => news.shift() ?? nothingNew,
    onLead: async () => {},
    fold: () => {},
    forget: async (campaignId) => void forgotten.push(campaignId),
    onOpened: opening,
    sweep: async () => {},
    onError: () => {},
  };
  duty = await startDuty(parts);
  await vi.advanceTimersByTimeAsync(2100);
  expect(forgotten).toEqual(['brief']);
  expect(opening).toHaveBeenCalledTimes(1);
});
