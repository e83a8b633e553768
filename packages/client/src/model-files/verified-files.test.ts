import { sha256Hex, type FileRef } from '@oneround/fl-core';
import { describe, expect, it, vi } from 'vitest';
import { DownloadError } from './download-error.ts';
import type { FetchFile } from './fetch-file.ts';
import { memoryStore, type FileStore } from './file-store.ts';
import { VerifiedFiles, type DownloadProgress } from './verified-files.ts';

const contents = Array.from({ length: 7 }, (_, i) => new Uint8Array(100 + i).fill(i + 1));
const files: FileRef[] = await Promise.all(
  contents.map(async (bytes, i) => ({ path: `part-${i}`, bytes: bytes.length, sha256: await sha256Hex(bytes) })),
);
const total = files.reduce((sum, file) => sum + file.bytes, 0);
const { signal } = new AbortController();

const serve: FetchFile = async (file, { received }) => {
  received(file.bytes);
  return contents[Number(file.path.slice(5))]!.slice();
};
const serveDamaged: FetchFile = async (file) => new Uint8Array(file.bytes);

const serveHalting: FetchFile = async (file, listener) => {
  listener.received(60);
  listener.broke();
  listener.received(0);
  return serve(file, listener);
};

const filesFrom = (fetchFile: FetchFile, store: FileStore = memoryStore()) =>
  new VerifiedFiles({ store, fetchFile, signal });

const shut = () => Promise.reject(new DOMException('the disk failed', 'NotReadableError'));

describe('verified files', () => {
  it('are fetched at most three at a time, and not again on a second visit', async () => {
    const store = memoryStore();
    let running = 0;
    let most = 0;
    const slow: FetchFile = async (file, listener) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 2));
      running--;
      return serve(file, listener);
    };
    const first = filesFrom(slow, store);
    expect(await first.download(files, vi.fn())).toMatchObject({ done: total, total, fetched: total });
    expect(most).toBe(3);
    expect(await Promise.all(files.map((file) => first.read(file)))).toEqual(contents);

    const fetchFile = vi.fn(serve);
    const second = filesFrom(fetchFile, store);
    expect(await second.download(files, vi.fn())).toMatchObject({ done: total, total, fetched: 0 });
    expect(await second.read(files[4]!)).toEqual(contents[4]);
    expect(fetchFile).not.toHaveBeenCalled();
  });

  it('fetches only what is missing', async () => {
    const store = memoryStore();
    await store.write(files[2]!.sha256, contents[2]!);
    await store.write(files[3]!.sha256, contents[3]!.subarray(0, 50));
    const fetchFile = vi.fn(serve);
    const progress: DownloadProgress[] = [];
    const loading = filesFrom(fetchFile, store).download(files.slice(2, 5), (now) => progress.push(now));
    expect((await loading).fetched).toBe(files[3]!.bytes + files[4]!.bytes);
    expect(fetchFile.mock.calls.map(([file]) => file.path)).toEqual(['part-3', 'part-4']);
    expect(progress[0]).toMatchObject({ done: files[2]!.bytes, fetched: 0 });
  });

  it('counts a part that was fetched twice twice, and says when the connection is gone', async () => {
    const progress: DownloadProgress[] = [];
    let newBytes = 0;
    const last = await filesFrom(serveHalting).download(files.slice(0, 1), (now, added) => {
      progress.push(now);
      newBytes += added;
    });
    expect(progress.map(({ done, interrupted }) => [done, interrupted])).toEqual([
      [0, false],
      [60, false],
      [60, true],
      [0, false],
      [100, false],
      [100, false],
    ]);
    expect([last.fetched, newBytes]).toEqual([160, 160]);
  });

  it('fetches a damaged file once more', async () => {
    const fetchFile = vi.fn(serve);
    fetchFile.mockImplementationOnce(serveDamaged);
    const verified = filesFrom(fetchFile);
    await verified.download(files.slice(0, 1), vi.fn());
    expect(await verified.read(files[0]!)).toEqual(contents[0]);
    expect(fetchFile).toHaveBeenCalledTimes(2);
  });

  it('stops with a clear error when it stays damaged, and keeps nothing of it', async () => {
    const store = memoryStore();
    const fetchFile = vi.fn(serveDamaged);
    const loading = filesFrom(fetchFile, store).download(files.slice(0, 1), vi.fn());
    await expect(loading).rejects.toThrow(DownloadError);
    await expect(loading).rejects.toThrow(/part-0 arrived damaged twice: its checksum is wrong/);
    expect(fetchFile).toHaveBeenCalledTimes(2);
    expect((await store.list()).size).toBe(0);
  });

  it('does not trust the store: what was damaged there is fetched when it is read', async () => {
    const store = memoryStore();
    await store.write(files[0]!.sha256, new Uint8Array(files[0]!.bytes));
    const verified = filesFrom(serve, store);
    await verified.download(files.slice(0, 1), vi.fn());
    expect(await verified.read(files[0]!)).toEqual(contents[0]);
    expect(await store.read(files[0]!.sha256)).toEqual(contents[0]);
  });

  it('does without a store that cannot be read any more', async () => {
    const verified = filesFrom(serve, { ...memoryStore(), list: shut, read: shut });
    await verified.download(files.slice(0, 1), vi.fn());
    expect(await verified.read(files[0]!)).toEqual(contents[0]);
  });

  it('goes on in memory when the device is full, and says how much', async () => {
    const kept = memoryStore();
    const full: FileStore = {
      ...kept,
      kind: 'opfs',
      write: async (sha256, bytes) => {
        if (sha256 === files[1]!.sha256) throw new DOMException('full', 'QuotaExceededError');
        await kept.write(sha256, bytes);
      },
    };
    const verified = filesFrom(serve, full);
    const last = await verified.download(files.slice(0, 3), vi.fn());
    expect(last).toMatchObject({ storage: 'opfs', unkept: files[1]!.bytes });
    for (const i of [0, 1, 2]) expect(await verified.read(files[i]!)).toEqual(contents[i]);
  });
});
