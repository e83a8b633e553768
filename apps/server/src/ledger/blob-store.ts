/**
 * Content-addressed files and unfinished uploads under a data directory:
 *
 *   blobs/<sha256>           immutable, written to a temporary name, fdatasync, rename, fsync of the directory
 *   parts/<contributionId>   an upload under way; its length is the offset acknowledged to the client
 *
 * Synchronous: it runs in worker threads and in command-line processes, never on the server's event loop.
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Refusal } from '@oneround/fl-core';

/** Writes some of `data` to a file descriptor and returns how many bytes (Node's `writeSync`, or a test's full disk). */
export type WriteBytes = (descriptor: number, data: Uint8Array) => number;

export interface BlobStoreOptions {
  /** Blobs and parts together may take this many bytes; intake stops before that. */
  maxBytes?: number;
  write?: WriteBytes;
}

/** Lower-case hexadecimal SHA-256, synchronously. */
export function hashBytes(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export class BlobStore {
  readonly #blobs: string;
  readonly #parts: string;
  readonly #maxBytes: number;
  readonly #write: WriteBytes;
  #usedBytes: number;

  /** Opens (and creates) the folders under `dataDir`. */
  constructor(dataDir: string, options: BlobStoreOptions = {}) {
    this.#blobs = join(dataDir, 'blobs');
    this.#parts = join(dataDir, 'parts');
    this.#maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    this.#write = options.write ?? ((descriptor, data) => writeSync(descriptor, data));
    mkdirSync(this.#blobs, { recursive: true });
    mkdirSync(this.#parts, { recursive: true });
    for (const name of readdirSync(this.#blobs)) if (name.startsWith('tmp-')) rmSync(join(this.#blobs, name));
    this.#usedBytes = folderBytes(this.#blobs) + folderBytes(this.#parts);
  }

  /** @throws Refusal `storage_full` when `bytes` more would pass the quota */
  reserve(bytes: number): void {
    if (this.#usedBytes + bytes > this.#maxBytes) throw storageFull();
  }

  /** Where a blob lies. It exists only if `put` or `adoptPart` returned this hash. */
  path(sha256: string): string {
    return join(this.#blobs, sha256);
  }

  /** True when there is such a blob. */
  has(sha256: string): boolean {
    return fileBytes(this.path(sha256)) !== undefined;
  }

  /** The bytes of a blob. Throws ENOENT when there is none. */
  read(sha256: string): Buffer {
    return readFileSync(this.path(sha256));
  }

  /**
   * Stores bytes durably and returns their SHA-256; storing them again changes nothing.
   * @throws Refusal `storage_full` when the disk has no room; nothing is then left behind
   */
  put(bytes: Uint8Array): string {
    const sha256 = hashBytes(bytes);
    if (fileBytes(this.path(sha256)) === bytes.byteLength) return sha256;
    const temporary = join(this.#blobs, `tmp-${randomUUID()}`);
    try {
      this.#withFile(temporary, 'w', (descriptor) => {
        this.#writeAll(descriptor, bytes);
        fdatasyncSync(descriptor);
      });
      renameSync(temporary, this.path(sha256));
      syncFolder(this.#blobs);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw asStorageFull(error);
    }
    this.#usedBytes += bytes.byteLength;
    return sha256;
  }

  /** Bytes of an upload stored so far; 0 when there is none. */
  partBytes(contributionId: string): number {
    return fileBytes(join(this.#parts, contributionId)) ?? 0;
  }

  /**
   * Adds bytes at the end of a part and returns its new length.
   * @throws Refusal `storage_full`; the part then has the length it had before
   */
  appendPart(contributionId: string, data: Uint8Array): number {
    this.reserve(data.byteLength);
    const path = join(this.#parts, contributionId);
    const before = fileBytes(path) ?? 0;
    try {
      this.#withFile(path, 'a', (descriptor) => {
        try {
          this.#writeAll(descriptor, data);
        } catch (error) {
          ftruncateSync(descriptor, before);
          throw error;
        }
      });
    } catch (error) {
      throw asStorageFull(error);
    }
    this.#usedBytes += data.byteLength;
    return before + data.byteLength;
  }

  /** The bytes of a part. Throws ENOENT when there is none. */
  readPart(contributionId: string): Buffer {
    return readFileSync(join(this.#parts, contributionId));
  }

  /** Makes a part, whose SHA-256 the caller has checked, a durable blob. */
  adoptPart(contributionId: string, sha256: string): void {
    const path = join(this.#parts, contributionId);
    try {
      this.#withFile(path, 'r+', fdatasyncSync);
      renameSync(path, this.path(sha256));
      syncFolder(this.#blobs);
    } catch (error) {
      throw asStorageFull(error);
    }
  }

  /** Forgets a part, if there is one. */
  dropPart(contributionId: string): void {
    this.#usedBytes -= this.partBytes(contributionId);
    rmSync(join(this.#parts, contributionId), { force: true });
  }

  #withFile(path: string, flags: string, use: (descriptor: number) => void): void {
    const descriptor = openSync(path, flags);
    try {
      use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  #writeAll(descriptor: number, data: Uint8Array): void {
    for (let done = 0; done < data.byteLength;) done += this.#write(descriptor, data.subarray(done));
  }
}

/** A full disk, SQLite's included, as the refusal it is; any other error unchanged. */
export function asStorageFull(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'SQLITE_FULL' ? storageFull() : error;
}

function storageFull(): Refusal {
  return new Refusal(
    'storage_full',
    'The server has no room for another contribution. Keep this page open; it can be sent again once the operator has made room.',
  );
}

function fileBytes(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

function folderBytes(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + (fileBytes(join(folder, name)) ?? 0), 0);
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
