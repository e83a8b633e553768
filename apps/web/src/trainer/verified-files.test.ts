import { sha256Hex, type FileRef } from '@oneround/fl-core';
import { describe, expect, it, vi } from 'vitest';
import { memoryStore, type FileStore } from './file-store.ts';
import { DownloadError, loadVerifiedFiles, type FetchFile } from './verified-files.ts';

const contents = Array.from({ length: 7 }, (_, i) => new Uint8Array(100 + i).fill(i + 1));
const { signal } = new AbortController();

async function filesOf(): Promise<FileRef[]> {
  return Promise.all(
    contents.map(async (bytes, i) => ({ path: `part-${i}`, bytes: bytes.length, sha256: await sha256Hex(bytes) })),
  );
}

const serve: FetchFile = async (file) => contents[Number(file.path.slice(5))]!.slice();
const serveDamaged: FetchFile = async () => new Uint8Array(3);

describe('verified files', () => {
  it('come in order, at most three at a time, and are not fetched again on a second visit', async () => {
    const files = await filesOf();
    const store = memoryStore();
    let running = 0;
    let most = 0;
    const slow: FetchFile = async (file, options) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 2));
      running--;
      return serve(file, options);
    };
    const progress = vi.fn();
    expect(await loadVerifiedFiles(files, { store, fetchFile: slow, signal }, progress)).toEqual(contents);
    expect(most).toBe(3);
    const total = files.reduce((sum, file) => sum + file.bytes, 0);
    expect(progress).toHaveBeenLastCalledWith({ done: total, total, fetched: total, storage: 'memory' });

    const again = vi.fn(serve);
    await loadVerifiedFiles(files, { store, fetchFile: again, signal }, progress);
    expect(again).not.toHaveBeenCalled();
    expect(progress).toHaveBeenLastCalledWith({ done: total, total, fetched: 0, storage: 'memory' });
  });

  it('fetches a damaged file once more, past the caches', async () => {
    const files = await filesOf();
    const fetchFile = vi.fn<FetchFile>(async (file, options) => {
      const bytes = await serve(file, options);
      if (!options.fresh) bytes[0]! ^= 1;
      return bytes;
    });
    expect(await loadVerifiedFiles(files.slice(0, 1), { store: memoryStore(), fetchFile, signal }, vi.fn())).toEqual([
      contents[0],
    ]);
    expect(fetchFile.mock.calls.map(([, { fresh }]) => fresh)).toEqual([false, true]);
  });

  it('stops with a clear error when it stays damaged', async () => {
    const files = await filesOf();
    const loading = loadVerifiedFiles(files, { store: memoryStore(), fetchFile: serveDamaged, signal }, vi.fn());
    await expect(loading).rejects.toThrow(DownloadError);
    await expect(loading).rejects.toThrow(/part-\d arrived damaged twice: its checksum is wrong/);
  });

  it('does not trust the store', async () => {
    const files = await filesOf();
    const store = memoryStore();
    await store.write(files[0]!.sha256, new Uint8Array(files[0]!.bytes));
    expect(await loadVerifiedFiles(files.slice(0, 1), { store, fetchFile: serve, signal }, vi.fn())).toEqual([
      contents[0],
    ]);
  });

  it('goes on without keeping when the device is full, and says so', async () => {
    const files = await filesOf();
    const full: FileStore = {
      ...memoryStore(),
      kind: 'opfs',
      write: () => Promise.reject(new DOMException('full', 'QuotaExceededError')),
    };
    const progress = vi.fn();
    await loadVerifiedFiles(files, { store: full, fetchFile: serve, signal }, progress);
    expect(progress.mock.lastCall![0]).toMatchObject({ storage: 'memory' });
  });
});
