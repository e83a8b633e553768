/** Blobs as a verifier reads them: nothing is created, and every hash is computed from the bytes. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { BlobFault } from './blobs.ts';
import type { LedgerDatabase } from './open-database.ts';
import { blobPieces, nameOfRow } from './postgres-blobs.ts';
import { expectEqual, VerifyError } from './verify-error.ts';

const PIECE_BYTES = 1 << 20;

/** Where blobs lie. */
interface BlobSource {
  /** What a person would look for. */
  nameOf(sha256: string): string;
  /** A blob's bytes, a MiB or so in memory at a time: model shards are large. @throws BlobFault when some are missing */
  pieces(sha256: string): AsyncIterable<Uint8Array>;
}

/** The blobs of a data directory. */
export function blobFiles(dataDir: string): BlobSource {
  const nameOf = (sha256: string) => join(dataDir, 'blobs', sha256);
  return {
    nameOf,
    async *pieces(sha256) {
      try {
        for await (const piece of createReadStream(nameOf(sha256), { highWaterMark: PIECE_BYTES })) {
          yield piece as Uint8Array;
        }
      } catch (error) {
        const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
        throw isMissing ? new BlobFault(`${nameOf(sha256)} is missing`) : error;
      }
    },
  };
}

/** The blobs of a shared database. */
export function blobRows(db: LedgerDatabase): BlobSource {
  return { nameOf: nameOfRow, pieces: (sha256) => blobPieces(db, sha256) };
}

export class BlobReader {
  readonly #source: BlobSource;
  /** Size of every blob whose hash was found right. */
  readonly #checked = new Map<string, number>();

  constructor(source: BlobSource) {
    this.#source = source;
  }

  /** Blobs checked so far. */
  get count(): number {
    return this.#checked.size;
  }

  /** Their size together. */
  get bytes(): number {
    return [...this.#checked.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Computes a blob's SHA-256, once, and returns its size in bytes.
   * @throws VerifyError naming `owner` and the blob when it is missing or holds other bytes
   */
  async check(sha256: string, owner: string): Promise<number> {
    const known = this.#checked.get(sha256);
    if (known !== undefined) return known;
    const { bytes, found } = await this.#hash(sha256, owner);
    expectEqual(owner, `SHA-256 of ${this.#source.nameOf(sha256)}`, sha256, found);
    this.#checked.set(sha256, bytes);
    return bytes;
  }

  /** The bytes of a blob that was checked. @throws BlobFault when some are missing */
  async read(sha256: string): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#source.pieces(sha256)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  async #hash(sha256: string, owner: string): Promise<{ bytes: number; found: string }> {
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const piece of this.#source.pieces(sha256)) {
        hash.update(piece);
        bytes += piece.byteLength;
      }
    } catch (error) {
      throw error instanceof BlobFault ? new VerifyError(`${owner}: ${error.message}`) : error;
    }
    return { bytes, found: hash.digest('hex') };
  }
}
