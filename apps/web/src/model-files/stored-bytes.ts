/** Consecutive files read as one stream of bytes, which never has to be in memory as a whole. */
import type { FileRef } from '@oneround/fl-core';

/** The bytes of one file, checked. */
export type ReadFile = (file: FileRef) => Promise<Uint8Array<ArrayBuffer>>;

/**
 * The files of a model's weights, in their order. The file read last stays at hand, so reading from front to back loads
 * each file once and holds one at a time.
 */
export class StoredBytes {
  readonly bytes: number;
  readonly #files: { file: FileRef; begin: number }[] = [];
  readonly #read: ReadFile;
  #current: { file: FileRef; loading: Promise<Uint8Array<ArrayBuffer>> } | null = null;

  constructor(files: readonly FileRef[], read: ReadFile) {
    let begin = 0;
    for (const file of files) {
      this.#files.push({ file, begin });
      begin += file.bytes;
    }
    this.bytes = begin;
    this.#read = read;
  }

  /**
   * `length` bytes from `offset` on, to be read and not written: they may be a view of the file at hand.
   * @throws RangeError when the stream does not have them
   */
  async readRange(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (offset < 0 || length < 0 || offset + length > this.bytes) {
      throw new RangeError(`bytes ${offset} to ${offset + length} of a model of ${this.bytes}`);
    }
    const touched = this.#files.filter(({ file, begin }) => begin < offset + length && begin + file.bytes > offset);
    if (touched.length === 1) {
      const { file, begin } = touched[0]!;
      return (await this.#load(file)).subarray(offset - begin, offset - begin + length);
    }
    const range = new Uint8Array(length);
    for (const { file, begin } of touched) {
      const part = (await this.#load(file)).subarray(Math.max(0, offset - begin), offset - begin + length);
      range.set(part, Math.max(0, begin - offset));
    }
    return range;
  }

  #load(file: FileRef): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#current?.file !== file) this.#current = { file, loading: this.#read(file) };
    return this.#current.loading;
  }
}
