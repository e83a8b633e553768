/** Blobs of a data directory as a verifier reads them: nothing is created, and every hash is computed from the bytes. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { expectEqual, VerifyError } from './verify-error.ts';

const PIECE_BYTES = 1 << 20;

export class BlobReader {
  readonly #dataDir: string;
  /** Size of every blob whose hash was found right. */
  readonly #checked = new Map<string, number>();

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
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
   * Computes a blob's SHA-256, once, a MiB in memory at a time (model shards are large), and returns its size in bytes.
   * @throws VerifyError naming `owner` and the file when it is missing or holds other bytes
   */
  async check(sha256: string, owner: string): Promise<number> {
    const known = this.#checked.get(sha256);
    if (known !== undefined) return known;
    const { bytes, found } = this.#hash(sha256, owner);
    expectEqual(owner, `SHA-256 of ${this.#path(sha256)}`, sha256, found);
    this.#checked.set(sha256, bytes);
    return bytes;
  }

  /** The bytes of a blob. Throws ENOENT when there is none. */
  async read(sha256: string): Promise<Uint8Array> {
    return readFileSync(this.#path(sha256));
  }

  #path(sha256: string): string {
    return join(this.#dataDir, 'blobs', sha256);
  }

  #hash(sha256: string, owner: string): { bytes: number; found: string } {
    const descriptor = this.#open(sha256, owner);
    try {
      const hash = createHash('sha256');
      const piece = new Uint8Array(PIECE_BYTES);
      let bytes = 0;
      for (let read = readSync(descriptor, piece); read > 0; read = readSync(descriptor, piece)) {
        hash.update(piece.subarray(0, read));
        bytes += read;
      }
      return { bytes, found: hash.digest('hex') };
    } finally {
      closeSync(descriptor);
    }
  }

  #open(sha256: string, owner: string): number {
    try {
      return openSync(this.#path(sha256), 'r');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      throw new VerifyError(`${owner}: ${this.#path(sha256)} is missing`);
    }
  }
}
