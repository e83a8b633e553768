/** Cutting a file into shards of 4 to 8 MiB, and reading ranges across them. Boundaries do not follow tensors. */
import type { ReadRange } from '../checkpoint/index.ts';

const LARGEST_SHARD_BYTES = 8 * 2 ** 20;

/** Bytes of every shard but the last: whole 32-bit words, equal shares of the file. */
export function shardBytes(fileBytes: number): number {
  const shards = Math.ceil(fileBytes / LARGEST_SHARD_BYTES);
  return Math.ceil(fileBytes / shards / 4) * 4;
}

/** Consecutive pieces of exactly `size` bytes; the last may be shorter. Each has memory of its own. */
export async function* cutStream(
  chunks: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let piece = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let used = 0; used < chunk.byteLength;) {
      const part = chunk.subarray(used, used + size - filled);
      piece.set(part, filled);
      used += part.byteLength;
      filled += part.byteLength;
      if (filled < size) continue;
      yield piece;
      piece = new Uint8Array(size);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

/**
 * Reads across files that lie one after the other.
 * @param readPart reads `length` bytes from `offset` on of the `index`-th file
 * @throws RangeError when the range is not within the files
 */
export function readAcross(
  fileBytes: readonly number[],
  readPart: (index: number, offset: number, length: number) => Promise<Uint8Array>,
): ReadRange {
  const starts: number[] = [];
  let total = 0;
  for (const bytes of fileBytes) {
    starts.push(total);
    total += bytes;
  }
  return async (offset, length) => {
    if (offset < 0 || length < 0 || offset + length > total) {
      throw new RangeError(`readAcross: bytes ${offset} to ${offset + length} of ${total}`);
    }
    const first = starts.findLastIndex((start) => start <= offset);
    const whole = new Uint8Array(length);
    for (let index = Math.max(0, first), done = 0; done < length; index++) {
      const from = offset + done - starts[index]!;
      const count = Math.min(length - done, fileBytes[index]! - from);
      whole.set(await readPart(index, from, count), done);
      done += count;
    }
    return whole;
  };
}
