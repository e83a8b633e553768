import type { FileRef } from '@oneround/fl-core';
import { describe, expect, it, vi } from 'vitest';
import { readShards } from './index.ts';

const sizes = [10, 7, 1, 12];
const stream = Uint8Array.from({ length: 30 }, (_, i) => i);
const files: FileRef[] = sizes.map((bytes, i) => ({ path: `${i}`, bytes, sha256: String(i).repeat(64) }));

function storedStream() {
  const read = vi.fn(async (file: FileRef) => {
    const begin = sizes.slice(0, Number(file.path)).reduce((sum, size) => sum + size, 0);
    return stream.slice(begin, begin + file.bytes);
  });
  return { read, readRange: readShards(files, read) };
}

describe('a stream over shards', () => {
  it('gives every range', async () => {
    const { readRange } = storedStream();
    for (let begin = 0; begin <= 30; begin++) {
      for (let end = begin; end <= 30; end++) {
        expect(await readRange(begin, end - begin)).toEqual(stream.slice(begin, end));
      }
    }
  });

  it('loads each file once when read from front to back, and only those that are needed', async () => {
    const { read, readRange } = storedStream();
    for (let begin = 0; begin < 16; begin += 4) await readRange(begin, 4);
    expect(read.mock.calls.map(([file]) => file.path)).toEqual(['0', '1']);
    await readRange(16, 14);
    expect(read.mock.calls.map(([file]) => file.path)).toEqual(['0', '1', '2', '3']);
  });

  it('refuses what it does not have', async () => {
    const { readRange } = storedStream();
    await expect(readRange(25, 6)).rejects.toThrow('bytes 25 to 31 of 30');
    await expect(readRange(-1, 2)).rejects.toThrow(RangeError);
  });
});
