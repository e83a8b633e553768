/**
 * Files by content hash: fetched when the store lacks them, and never handed on before their SHA-256 was checked.
 * A file that arrives damaged is fetched once more; then the download stops with a clear error. Between download and
 * reading the bytes are in the store alone, so a model may be larger than what a tab should hold in memory.
 */
import { sha256Hex, type FileRef } from '@oneround/fl-core';
import { DownloadError } from './download-error.ts';
import type { FetchFile, FetchListener } from './fetch-file.ts';
import type { FileStore, StorageKind } from './file-store.ts';

/** Downloads in flight at once. */
const CONCURRENCY = 3;

/** What has happened so far, in bytes. */
export interface DownloadProgress {
  /** Of the wanted files: in the store, or arrived. */
  done: number;
  total: number;
  /** What came over the network; a repeated part counts twice. */
  fetched: number;
  storage: StorageKind;
  /** Held in memory for this visit because the store would not take it. */
  unkept: number;
  /** The connection broke and is being tried again. */
  interrupted: boolean;
}

/** The model files of one run. */
export class VerifiedFiles {
  readonly #parts: { store: FileStore; fetchFile: FetchFile; signal: AbortSignal };
  /** What the store would not take: a full disk ends the keeping, not the run. */
  readonly #unkept = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Checked in this visit already. */
  readonly #checked = new Set<string>();

  constructor(parts: { store: FileStore; fetchFile: FetchFile; signal: AbortSignal }) {
    this.#parts = parts;
  }

  /**
   * Fetches those of `files` that are not here, three at a time. `onProgress` hears the state and the bytes that came
   * over the network since the last time.
   * @throws DownloadError when one stays damaged or cannot be fetched; the abort reason when the run's signal aborts
   */
  async download(
    files: readonly FileRef[],
    onProgress: (progress: DownloadProgress, newBytes: number) => void,
  ): Promise<DownloadProgress> {
    const { store, fetchFile, signal } = this.#parts;
    const stored = await unlessShut(store.list(), new Map<string, number>());
    const missing = files.filter(({ sha256, bytes }) => !this.#unkept.has(sha256) && stored.get(sha256) !== bytes);
    const total = sum(files.map((file) => file.bytes));
    let kept = total - sum(missing.map((file) => file.bytes));
    let fetched = 0;
    let interrupted = false;
    const arriving = new Map<FileRef, number>();
    const progress = (): DownloadProgress => {
      const unkept = sum([...this.#unkept.values()].map((bytes) => bytes.byteLength));
      const done = kept + sum([...arriving.values()]);
      return { done, total, fetched, storage: store.kind, unkept, interrupted };
    };
    const download = async (file: FileRef) => {
      const bytes = await fetchVerified(file, fetchFile, {
        received: (now) => {
          const newBytes = Math.max(0, now - (arriving.get(file) ?? 0));
          fetched += newBytes;
          arriving.set(file, now);
          interrupted = false;
          onProgress(progress(), newBytes);
        },
        broke: () => {
          interrupted = true;
          onProgress(progress(), 0);
        },
      });
      this.#checked.add(file.sha256);
      await this.#keep(file, bytes);
      arriving.delete(file);
      kept += file.bytes;
      onProgress(progress(), 0);
    };
    onProgress(progress(), 0);
    const queue = [...missing];
    const worker = async () => {
      for (let file = queue.shift(); file; file = queue.shift()) {
        signal.throwIfAborted();
        await download(file).catch((error: unknown) => {
          queue.length = 0;
          throw error;
        });
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    return progress();
  }

  /**
   * The bytes of one file: from the store, checked once a visit, or - missing or damaged there - over the network.
   * @throws DownloadError when it cannot be had
   */
  async read(file: FileRef): Promise<Uint8Array<ArrayBuffer>> {
    const { store, fetchFile } = this.#parts;
    const unkept = this.#unkept.get(file.sha256);
    if (unkept) return unkept;
    const stored = await unlessShut(store.read(file.sha256), null);
    if (stored && (this.#checked.has(file.sha256) || (await matches(stored, file)))) {
      this.#checked.add(file.sha256);
      return stored;
    }
    const bytes = await fetchVerified(file, fetchFile);
    this.#checked.add(file.sha256);
    await this.#keep(file, bytes);
    return bytes;
  }

  async #keep(file: FileRef, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      await this.#parts.store.write(file.sha256, bytes);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.#unkept.set(file.sha256, bytes);
    }
  }
}

/** A store that cannot be read is as good as an empty one: the network has the files. */
async function unlessShut<Result>(reading: Promise<Result>, empty: Result): Promise<Result> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof DOMException) return empty;
    throw error;
  }
}

const unheard: FetchListener = { received: () => undefined, broke: () => undefined };

/** One file over the network, checked. @throws DownloadError when it stays damaged or cannot be fetched */
export async function fetchVerified(
  file: FileRef,
  fetchFile: FetchFile,
  listener = unheard,
): Promise<Uint8Array<ArrayBuffer>> {
  for (let attempt = 1; attempt <= 2; attempt++) {
    const bytes = await fetchFile(file, listener);
    if (await matches(bytes, file)) return bytes;
    listener.received(0);
  }
  throw new DownloadError(
    `The file ${file.path} arrived damaged twice: its checksum is wrong. Check the connection and try again; if it stays so, tell the organiser.`,
  );
}

async function matches(bytes: Uint8Array, file: FileRef): Promise<boolean> {
  return bytes.byteLength === file.bytes && (await sha256Hex(bytes)) === file.sha256;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
