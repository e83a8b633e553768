import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { DiskGuard } from './disk-guard.ts';

it('stops intake below its floor, starts it again above, and asks the disk every few seconds at most', async () => {
  let [free, time, asked] = [2000, 0, 0];
  const changes: [boolean, number][] = [];
  const guard = new DiskGuard({
    dataDir: '/data',
    minFreeBytes: 1000,
    onChange: (...change) => changes.push(change),
    freeBytes: async () => ((asked += 1), free),
    now: () => time,
  });
  await Promise.all(Array.from({ length: 100 }, () => guard.requireRoom()));
  expect(asked).toBe(1);
  free = 999;
  time = 1999;
  await guard.requireRoom();
  time = 2000;
  await expect(guard.requireRoom()).rejects.toMatchObject({
    code: 'storage_full',
    message: expect.stringMatching(/disk space.*sent again/),
  });
  free = 1000;
  await expect(guard.requireRoom()).rejects.toThrow();
  time = 4000;
  await guard.requireRoom();
  expect(changes).toEqual([
    [false, 999],
    [true, 1000],
  ]);
  expect(asked).toBe(3);
  guard.expectUploads(501);
  await expect(guard.requireRoom()).rejects.toThrow();
  free = 1002;
  time = 6000;
  await guard.requireRoom();
});

it('asks the file system unless told otherwise', async () => {
  const guard = new DiskGuard({ dataDir: tmpdir(), minFreeBytes: 1, onChange: () => undefined });
  expect(await guard.freeBytes()).toBeGreaterThan(0);
  expect(await guard.hasRoom()).toBe(true);
});
