import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutStream, readAcross, shardBytes } from './index.ts';

const MIB = 2 ** 20;

async function* stream(sizes: readonly number[]) {
  let next = 0;
  for (const size of sizes) yield Uint8Array.from({ length: size }, () => next++);
}

describe('shards', () => {
  it('are of 4 to 8 MiB, whole words, and cover the file', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 * MIB }), (fileBytes) => {
        const size = shardBytes(fileBytes);
        const last = fileBytes - (Math.ceil(fileBytes / size) - 1) * size;
        expect(size % 4).toBe(0);
        expect(size).toBeLessThanOrEqual(8 * MIB);
        if (fileBytes < 8 * MIB) return;
        expect(size).toBeGreaterThanOrEqual(4 * MIB);
        expect(size - last).toBeLessThanOrEqual(4 * Math.ceil(fileBytes / size));
      }),
    );
    expect(shardBytes(8 * MIB)).toBe(8 * MIB);
    expect(shardBytes(8 * MIB + 4)).toBe(4 * MIB + 4);
  });

  it('hold the stream, whatever its chunks, and give any range back', async () => {
    const sizes = fc.array(fc.nat(30), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 20 }), fc.nat(), fc.nat(), async (chunks, size, a, b) => {
        const pieces: Uint8Array[] = [];
        for await (const piece of cutStream(stream(chunks), size)) pieces.push(piece);
        const total = chunks.reduce((sum, n) => sum + n, 0);
        expect(pieces.slice(0, -1).every(({ byteLength }) => byteLength === size)).toBe(true);
        const whole = Buffer.concat(pieces);
        expect([...whole]).toEqual(Array.from({ length: total }, (_, i) => i % 256));
        const read = readAcross(
          pieces.map(({ byteLength }) => byteLength),
          async (index, offset, length) => pieces[index]!.subarray(offset, offset + length),
        );
        const [from, to] = [a % (total + 1), b % (total + 1)].toSorted((x, y) => x - y) as [number, number];
        expect([...(await read(from, to - from))]).toEqual([...whole.subarray(from, to)]);
        await expect(read(from, total - from + 1)).rejects.toThrow(RangeError);
      }),
    );
  });
});
