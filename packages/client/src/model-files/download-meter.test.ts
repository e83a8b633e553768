import { describe, expect, it } from 'vitest';
import { DownloadMeter, type MeasuredDownload } from './download-meter.ts';

const total = 100_000;
const state = { total, storage: 'opfs', unkept: 0, interrupted: false } as const;

function meter() {
  let now = 0;
  const told: MeasuredDownload[] = [];
  const measuring = new DownloadMeter(
    (download) => told.push(download),
    () => now,
  );
  return {
    told,
    at(ms: number, fetched: number, interrupted = false) {
      now = ms;
      measuring.report({ ...state, done: fetched, fetched, interrupted });
    },
  };
}

describe('the pace of a download', () => {
  it('is that of the last seconds', () => {
    const { told, at } = meter();
    for (let ms = 0; ms <= 10_000; ms += 500) at(ms, ms);
    expect(told.at(-1)).toMatchObject({ bytesPerSecond: 1000, secondsLeft: 90 });
    for (let ms = 10_500; ms <= 20_000; ms += 500) at(ms, 10_000 + 4 * (ms - 10_000));
    expect(told.at(-1)).toMatchObject({ bytesPerSecond: 4000, secondsLeft: 12.5 });
  });

  it('is not told before it was measured for a second', () => {
    const { told, at } = meter();
    at(0, 0);
    at(300, 50_000);
    at(1000, 60_000);
    expect(told.map(({ bytesPerSecond }) => bytesPerSecond)).toEqual([null, null, 60_000]);
  });

  it('starts anew after a broken connection', () => {
    const { told, at } = meter();
    for (let ms = 0; ms <= 4000; ms += 500) at(ms, ms);
    at(5000, 4000, true);
    expect(told.at(-1)).toMatchObject({ bytesPerSecond: null, secondsLeft: null });
    at(60_000, 4000, true);
    at(60_500, 6000);
    expect(told.at(-1)!.bytesPerSecond).toBeNull();
    at(62_000, 8000);
    expect(told.at(-1)!.bytesPerSecond).toBe(2000);
  });

  it('is told a few times a second, and always at the end', () => {
    const { told, at } = meter();
    for (let ms = 0; ms < 2000; ms++) at(ms, ms);
    expect(told.length).toBeLessThanOrEqual(8);
    at(2000, total);
    expect(told.at(-1)!.done).toBe(total);
  });
});
