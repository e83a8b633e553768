/**
 * Blobs as files under a data directory:
 *
 *   blobs/<sha256>           immutable, written to a temporary name, fdatasync, rename, fsync of the directory
 *   parts/<contributionId>   an upload under way; its length is the offset acknowledged to the client
 *   dropped/<sha256>         a blob that no row named when a server started; its time is when it was set aside
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
  utimesSync,
  writeSync,
} from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { unnamedBlobs } from './blob-references.ts';
import { BlobFault, BlobsGone, checkedBytes, hashBytes, storageFull, type Blobs } from './blobs.ts';
import { asStorageFull } from './database-errors.ts';
import type { LedgerDatabase } from './open-database.ts';

/** What of Node's makes a blob durable, in the right order; a test's disk may be full, or watched. */
export interface Disk {
  openSync(path: string, flags: string): number;
  writeSync(descriptor: number, data: Uint8Array): number;
  fdatasyncSync(descriptor: number): void;
  fsyncSync(descriptor: number): void;
  renameSync(from: string, to: string): void;
}

export const nodeDisk: Disk = { openSync, writeSync, fdatasyncSync, fsyncSync, renameSync };

export interface FileBlobsOptions {
  /** Blobs, parts and what was set aside may together take this many bytes; intake stops before that. */
  maxBytes?: number | undefined;
  /** What is otherwise than in `nodeDisk`. */
  disk?: Partial<Disk>;
}

/** What the name of a blob begins with while it is being written. */
const UNFINISHED = 'tmp-';

export class FileBlobs implements Blobs {
  readonly #blobs: string;
  readonly #parts: string;
  readonly #dropped: string;
  readonly #maxBytes: number;
  readonly #disk: Disk;
  #usedBytes: number;

  /** Opens (and creates) the folders under `dataDir`. */
  constructor(dataDir: string, options: FileBlobsOptions = {}) {
    this.#blobs = join(dataDir, 'blobs');
    this.#parts = join(dataDir, 'parts');
    this.#dropped = join(dataDir, 'dropped');
    this.#maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    this.#disk = { ...nodeDisk, ...options.disk };
    mkdirSync(this.#blobs, { recursive: true });
    mkdirSync(this.#parts, { recursive: true });
    mkdirSync(this.#dropped, { recursive: true });
    this.#syncFolder(dataDir);
    this.#usedBytes = this.#countBytes();
  }

  /** Counts anew what is used, of which another thread has stored some. */
  recount(): void {
    this.#usedBytes = this.#countBytes();
  }

  /** Deletes blobs that were never finished. Only while nobody else stores any. */
  dropUnfinished(): void {
    for (const name of readdirSync(this.#blobs)) if (isUnfinished(name)) this.#remove(join(this.#blobs, name));
  }

  async reserve(bytes: number): Promise<void> {
    if (this.#usedBytes + bytes > this.#maxBytes) throw storageFull();
  }

  async has(sha256: string): Promise<boolean> {
    return fileBytes(this.#path(sha256)) !== undefined;
  }

  async read(sha256: string): Promise<Uint8Array> {
    const path = this.#path(sha256);
    if (fileBytes(path) === undefined) throw new BlobFault(`${path} is missing`);
    return checkedBytes(path, sha256, readFileSync(path));
  }

  async file(sha256: string): Promise<string> {
    return this.#path(sha256);
  }

  async put(bytes: Uint8Array): Promise<string> {
    const sha256 = hashBytes(bytes);
    if (fileBytes(this.#path(sha256)) === bytes.byteLength) {
      // Whoever renamed it may have died before its name was on the disk.
      this.#syncFolder(this.#blobs);
      return sha256;
    }
    const temporary = join(this.#blobs, `${UNFINISHED}${randomUUID()}`);
    try {
      this.#withFile(temporary, 'w', (descriptor) => {
        this.#writeAll(descriptor, bytes);
        this.#disk.fdatasyncSync(descriptor);
      });
      this.#disk.renameSync(temporary, this.#path(sha256));
      this.#syncFolder(this.#blobs);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw asStorageFull(error);
    }
    this.#usedBytes += bytes.byteLength;
    return sha256;
  }

  /** What is there stays: the ledger's thread alone drops blobs, and names them, also those that another one has stored. */
  async hold(hashes: readonly string[]): Promise<void> {
    const gone = hashes.filter((sha256) => fileBytes(this.#path(sha256)) === undefined);
    if (gone.length > 0) throw new BlobsGone(gone);
  }

  async dropUnnamed(hashes: readonly string[], db: LedgerDatabase): Promise<void> {
    for (const sha256 of await unnamedBlobs(db, hashes)) this.drop(sha256);
  }

  /** Deletes a blob, if it is there. */
  drop(sha256: string): void {
    this.#remove(this.#path(sha256));
  }

  /** What is there: blobs by SHA-256, parts by contribution id. */
  list(): { blobs: string[]; parts: string[] } {
    const blobs = readdirSync(this.#blobs).filter((name) => !isUnfinished(name));
    return { blobs, parts: readdirSync(this.#parts) };
  }

  /** Takes a blob out of the way without deleting it, and notes the time (epoch ms). */
  setAside(sha256: string, now: number): void {
    // First the time, lest a crash leave it with that of the blob's making.
    utimesSync(this.#path(sha256), now / 1000, now / 1000);
    this.#move(this.#path(sha256), join(this.#dropped, sha256));
  }

  /** Puts back a blob that was set aside. */
  takeBack(sha256: string): void {
    this.#move(join(this.#dropped, sha256), this.#path(sha256));
  }

  /** What was set aside, and when (epoch ms). */
  listAside(): { sha256: string; since: number }[] {
    return readdirSync(this.#dropped).map((sha256) => {
      const { mtimeMs: since } = statSync(join(this.#dropped, sha256));
      return { sha256, since };
    });
  }

  /** Deletes what was set aside. */
  dropAside(sha256: string): void {
    this.#remove(join(this.#dropped, sha256));
  }

  async partBytes(contributionId: string): Promise<number> {
    return fileBytes(join(this.#parts, contributionId)) ?? 0;
  }

  async appendPart(contributionId: string, offset: number, data: Uint8Array): Promise<number> {
    await this.reserve(data.byteLength);
    try {
      this.#withFile(join(this.#parts, contributionId), 'a', (descriptor) => {
        try {
          this.#writeAll(descriptor, data);
        } catch (error) {
          ftruncateSync(descriptor, offset);
          throw error;
        }
      });
    } catch (error) {
      throw asStorageFull(error);
    }
    this.#usedBytes += data.byteLength;
    return offset + data.byteLength;
  }

  async readPart(contributionId: string): Promise<Uint8Array> {
    return readFileSync(join(this.#parts, contributionId));
  }

  async adoptPart(contributionId: string, sha256: string): Promise<void> {
    const path = join(this.#parts, contributionId);
    try {
      // As in `put`: the name of one that is there may not be on the disk yet.
      if (!(await this.has(sha256))) {
        this.#withFile(path, 'r+', (descriptor) => this.#disk.fdatasyncSync(descriptor));
        this.#disk.renameSync(path, this.#path(sha256));
      }
      this.#syncFolder(this.#blobs);
    } catch (error) {
      throw asStorageFull(error);
    }
  }

  async dropPart(contributionId: string): Promise<void> {
    this.#remove(join(this.#parts, contributionId));
  }

  #countBytes(): number {
    return [this.#blobs, this.#parts, this.#dropped].reduce((sum, folder) => sum + folderBytes(folder), 0);
  }

  #path(sha256: string): string {
    return join(this.#blobs, sha256);
  }

  #remove(path: string): void {
    this.#usedBytes -= fileBytes(path) ?? 0;
    rmSync(path, { force: true });
  }

  #move(from: string, to: string): void {
    this.#usedBytes -= fileBytes(to) ?? 0;
    renameSync(from, to);
  }

  #withFile(path: string, flags: string, use: (descriptor: number) => void): void {
    const descriptor = this.#disk.openSync(path, flags);
    try {
      use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Returns when the names in a folder are on the disk. */
  #syncFolder(folder: string): void {
    this.#withFile(folder, 'r', (descriptor) => this.#disk.fsyncSync(descriptor));
  }

  #writeAll(descriptor: number, data: Uint8Array): void {
    for (let done = 0; done < data.byteLength;) done += this.#disk.writeSync(descriptor, data.subarray(done));
  }
}

function isUnfinished(name: string): boolean {
  return name.startsWith(UNFINISHED);
}

function fileBytes(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

function folderBytes(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + (fileBytes(join(folder, name)) ?? 0), 0);
}
