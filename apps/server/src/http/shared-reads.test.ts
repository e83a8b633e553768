import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SharedReads } from './shared-reads.ts';

/** Reads that take 20 ms, counted by key. */
function counted() {
  const counts = new Map<string, number>();
  let atOnce = 0;
  let most = 0;
  const reads = new SharedReads(async (key) => {
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    most = Math.max(most, ++atOnce);
    await sleep(20);
    atOnce--;
    if (key === 'gone') throw new Error('gone');
    return count;
  }, 10);
  return { reads, counts, most: () => most };
}

it('share a reading that begins after they asked, one at a time', async () => {
  const { reads, most } = counted();
  const first = reads.get('a');
  const crowd = Array.from({ length: 50 }, () => reads.get('a'));
  expect(await first).toBe(1);
  const late = reads.get('a');
  expect(new Set(await Promise.all(crowd))).toEqual(new Set([2]));
  const later = reads.get('a');
  expect([await late, await later]).toEqual([2, 3]);
  expect(most()).toBe(1);
});

it('keep keys apart, and read again after a failure', async () => {
  const { reads, counts } = counted();
  const [a, b] = await Promise.all([reads.get('a'), reads.get('b')]);
  expect([a, b]).toEqual([1, 1]);
  await expect(reads.get('gone')).rejects.toThrow('gone');
  await expect(reads.get('gone')).rejects.toThrow('gone');
  expect(counts.get('gone')).toBe(2);
});
