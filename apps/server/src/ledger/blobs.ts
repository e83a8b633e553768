/**
 * Content-addressed bytes and the uploads under way that become some: in files of a data directory (`file-blobs.ts`) or in
 * the rows of a database that several servers share (`postgres-blobs.ts`). What `put` and `adoptPart` stored is durable
 * when they return.
 */
import { createHash } from 'node:crypto';
import { Refusal } from '@oneround/fl-core';
import type { LedgerDatabase } from './open-database.ts';

/** Where blobs are stored. */
export type BlobStore = Pick<Blobs, 'put'>;

export interface Blobs {
  /** @throws Refusal `storage_full` when `bytes` more would pass the quota */
  reserve(bytes: number): Promise<void>;
  /** True when there is such a blob. */
  has(sha256: string): Promise<boolean>;
  /** The bytes of a blob. @throws BlobFault when there is none, or its bytes have another SHA-256 */
  read(sha256: string): Promise<Uint8Array>;
  /** The path of a file on this machine that holds a blob. @throws Error when there is no such blob */
  file(sha256: string): Promise<string>;
  /**
   * Stores bytes durably and returns their SHA-256; storing them again changes nothing.
   * @throws Refusal `storage_full` when there is no room; nothing is then left behind
   */
  put(bytes: Uint8Array): Promise<string>;
  /**
   * In a transaction that names these blobs, before it does: they stay, unless it is rolled back.
   * @throws BlobsGone when some are not there (any more)
   */
  hold(hashes: readonly string[], transaction: LedgerDatabase): Promise<void>;
  /** Deletes those of these blobs that no row names. */
  dropUnnamed(hashes: readonly string[], db: LedgerDatabase): Promise<void>;
  /** Bytes of an upload stored so far; 0 when there is none. */
  partBytes(contributionId: string): Promise<number>;
  /**
   * Adds bytes to a part at `offset`, its end, and returns its new length.
   * @throws Refusal `storage_full`; the part then has the length it had before
   */
  appendPart(contributionId: string, offset: number, data: Uint8Array): Promise<number>;
  /** The bytes of a part. @throws Error when there is none: Refusal `unknown_upload` where another server may have dropped it */
  readPart(contributionId: string): Promise<Uint8Array>;
  /**
   * Makes a part, whose SHA-256 the caller has checked, a durable blob; where that is there already, the part stays a part.
   * @throws Refusal `unknown_upload` when another server has dropped the upload since
   */
  adoptPart(contributionId: string, sha256: string): Promise<void>;
  /** Forgets a part, if there is one; where parts are rows, in the transaction that forgets its upload. */
  dropPart(contributionId: string, transaction?: LedgerDatabase): Promise<void>;
}

/** A blob that is not what was stored. The message names it, but not whose it is. */
export class BlobFault extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = 'BlobFault';
  }
}

/** Blobs were dropped between being stored and being named; whoever needs them can store them again. */
export class BlobsGone extends Error {
  constructor(hashes: readonly string[]) {
    const others = hashes.length > 1 ? ` and ${hashes.length - 1} others` : '';
    super(`the blob ${hashes[0]}${others} was deleted meanwhile, with a campaign that named it too; try again`);
    this.name = 'BlobsGone';
  }
}

/** The `bytes` that were read of a blob; `name` is what a person would look for. @throws BlobFault for those of another */
export function checkedBytes(name: string, sha256: string, bytes: Uint8Array): Uint8Array {
  const found = hashBytes(bytes);
  if (found === sha256) return bytes;
  throw new BlobFault(`${name} has changed: it holds ${bytes.byteLength} bytes, whose SHA-256 is ${found}`);
}

/** Lower-case hexadecimal SHA-256 of these bytes, one part after the other; synchronously. */
export function hashBytes(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** The refusal of whoever has no room. */
export function storageFull(): Refusal {
  return new Refusal(
    'storage_full',
    'The server has no room for another contribution. Keep this page open, or start the worker again later; what was trained can be sent again once the operator has made room.',
  );
}

/** The refusal of whoever goes on with an upload that is not there, or not any more. */
export function unknownUpload(): Refusal {
  return new Refusal('unknown_upload', 'No upload was begun under this contribution id; begin it first.');
}
