/**
 * Files by content hash: taken from the store or fetched, and never handed on before their SHA-256 was checked.
 * A file that arrives damaged is fetched once more, past every cache; then the download stops with a clear error.
 */
import { sha256Hex, type FileRef } from '@oneround/fl-core';
import type { FileStore, StorageKind } from './file-store.ts';

/** Downloads in flight at once. */
const CONCURRENCY = 3;

/** A file could not be had; the message says which and what to do. */
export class DownloadError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DownloadError';
  }
}

/** Fetches the bytes of a file; `fresh` goes past the HTTP cache. */
export type FetchFile = (file: FileRef, options: { fresh: boolean }) => Promise<Uint8Array<ArrayBuffer>>;

/** What has happened so far, in bytes. `fetched` counts what came over the network, a repeated file twice. */
export interface DownloadProgress {
  done: number;
  total: number;
  fetched: number;
  storage: StorageKind;
}

/**
 * All of `files`, in their order.
 * @throws DownloadError when one stays damaged or cannot be fetched; the abort reason when `signal` aborts
 */
export async function loadVerifiedFiles(
  files: readonly FileRef[],
  parts: { store: FileStore; fetchFile: FetchFile; signal: AbortSignal },
  onProgress: (progress: DownloadProgress) => void,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  const progress: DownloadProgress = { done: 0, total, fetched: 0, storage: parts.store.kind };
  const loaded = Array.from<Uint8Array<ArrayBuffer>>({ length: files.length });
  const queue = [...files.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      parts.signal.throwIfAborted();
      const [index, file] = next;
      const stored = await storedFile(parts.store, file);
      loaded[index] = stored ?? (await fetchVerified(file, parts.fetchFile, (bytes) => (progress.fetched += bytes)));
      if (!stored) await keep(parts.store, file, loaded[index], () => (progress.storage = 'memory'));
      progress.done += file.bytes;
      onProgress({ ...progress });
    }
  };
  onProgress({ ...progress });
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, files.length) }, worker));
  return loaded;
}

/** One file over the network, checked. @throws DownloadError */
export async function fetchVerified(
  file: FileRef,
  fetchFile: FetchFile,
  onFetched: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  for (const fresh of [false, true]) {
    const bytes = await fetchFile(file, { fresh });
    onFetched(bytes.byteLength);
    if (await matches(bytes, file)) return bytes;
  }
  throw new DownloadError(
    `The file ${file.path} arrived damaged twice: its checksum is wrong. Check the connection and try again; if it stays so, tell the organiser.`,
  );
}

async function storedFile(store: FileStore, file: FileRef) {
  const bytes = await store.read(file.sha256);
  return bytes && (await matches(bytes, file)) ? bytes : null;
}

/** A full disk ends the keeping, not the run. */
async function keep(store: FileStore, file: FileRef, bytes: Uint8Array<ArrayBuffer>, onFull: () => void) {
  try {
    await store.write(file.sha256, bytes);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    onFull();
  }
}

async function matches(bytes: Uint8Array, file: FileRef): Promise<boolean> {
  return bytes.byteLength === file.bytes && (await sha256Hex(bytes)) === file.sha256;
}
