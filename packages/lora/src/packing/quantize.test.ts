import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { widenFloat16 } from '../checkpoint/index.ts';
import { BLOCK, blocksOf, dequantize, type Packing, quantize } from './index.ts';

/** A matrix of up to 4 rows whose length is rarely a multiple of 64, of magnitudes as weights have them or extreme. */
const matrix = fc
  .record({ rows: fc.integer({ min: 1, max: 4 }), columns: fc.integer({ min: 1, max: 150 }) })
  .chain(({ rows, columns }) => {
    const value = fc.oneof(
      fc.double({ min: -0.3, max: 0.3, noNaN: true }),
      fc.double({ min: -65_504, max: 65_504, noNaN: true }),
      fc.constantFrom(0, -0, 1e-9, -1e-30, 65_504),
    );
    const values = fc.array(value, { minLength: rows * columns, maxLength: rows * columns });
    return fc.record({ columns: fc.constant(columns), values: values.map((list) => Float32Array.from(list)) });
  });

/** The largest distance between a value and what comes back, in units of its block's scale. */
function worstError(packing: 'int8' | 'int4', values: Float32Array, columns: number): number {
  const packed = quantize(packing, values, columns);
  const found = dequantize(packing, packed, columns);
  const scales = widenFloat16(packed.scales);
  let worst = 0;
  for (let i = 0; i < values.length; i++) {
    const block = Math.floor(i / columns) * blocksOf(columns) + Math.floor((i % columns) / BLOCK);
    const unit = Math.abs(scales[block]!);
    const error = Math.abs(found[i]! - values[i]!);
    worst = Math.max(worst, error < 1e-43 ? 0 : error / unit);
  }
  return worst;
}

describe('quantize', () => {
  it('stores whole rows of blocks, the last filled up with zeros', () => {
    const values = new Float32Array(3 * 65).fill(1);
    expect(quantize('int8', values, 65)).toMatchObject({ data: { byteLength: 3 * 128 }, scales: { length: 6 } });
    const { data, scales } = quantize('int4', values, 65);
    expect([data.byteLength, scales.length]).toEqual([3 * 64, 6]);
    expect([...data.subarray(32, 64)]).toEqual([0x80, ...Array.from({ length: 31 }, () => 0x88)]);
    expect(quantize('f16', values, 65)).toMatchObject({ data: { byteLength: 3 * 65 * 2 }, scales: { length: 0 } });
  });

  it('puts int8 levels and int4 nibbles, low one first, where docs/packed-models.md says', () => {
    const int8 = quantize('int8', Float32Array.of(127, -127, 64, 0), 4);
    expect([...new Int8Array(int8.data.buffer, 0, 4)]).toEqual([127, -127, 64, 0]);
    expect([...widenFloat16(int8.scales)]).toEqual([1]);
    const int4 = quantize('int4', Float32Array.of(-8, 7, 0, 3), 4);
    expect([...int4.data.subarray(0, 2)]).toEqual([0xf0, 0xb8]);
    expect([...widenFloat16(int4.scales)]).toEqual([1]);
    const mirrored = quantize('int4', Float32Array.of(8, -7, 0, -3), 4);
    expect([...mirrored.data.subarray(0, 2)]).toEqual([0xf0, 0xb8]);
    expect([...widenFloat16(mirrored.scales)]).toEqual([-1]);
  });

  it('errs by at most half a scale in int8, a whole one in int4', () => {
    const slack = 1 + 1e-5;
    fc.assert(
      fc.property(matrix, ({ values, columns }) => {
        expect(worstError('int8', values, columns)).toBeLessThanOrEqual(0.5 * slack);
        expect(worstError('int4', values, columns)).toBeLessThanOrEqual(slack);
      }),
    );
  });

  it.each<[Packing, number]>([
    ['f16', 2 ** -11],
    ['int8', 0.006],
    ['int4', 0.1],
  ])('%s errs by at most %d of the length of normal weights', (packing, bound) => {
    const columns = 100;
    const values = Float32Array.from({ length: 50 * columns }, (_, i) => {
      const angle = 2 * Math.PI * ((i * 0.754877666) % 1);
      return 0.02 * Math.sqrt(-2 * Math.log(1 - ((i * 0.569840296) % 1))) * Math.cos(angle);
    });
    const found = dequantize(packing, quantize(packing, values, columns), columns);
    const difference = Math.hypot(...found.map((value, i) => value - values[i]!));
    expect(difference / Math.hypot(...values)).toBeLessThan(bound);
    expect(difference).toBeGreaterThan(0);
  });

  it('packs what it unpacked to the same values again', () => {
    fc.assert(
      fc.property(matrix, fc.constantFrom<Packing>('f16', 'int8', 'int4'), ({ values, columns }, packing) => {
        const once = dequantize(packing, quantize(packing, values, columns), columns);
        const twice = dequantize(packing, quantize(packing, once, columns), columns);
        const largest = once.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        for (let i = 0; i < once.length; i++)
          expect(Math.abs(twice[i]! - once[i]!)).toBeLessThanOrEqual(largest * 2 ** -8);
      }),
    );
  });

  it('packs each block alone: other rows and blocks change nothing', () => {
    const values = Float32Array.from({ length: 2 * 130 }, (_, i) => Math.sin(i * i));
    const changed = values.slice();
    changed[129] = 50_000;
    const [a, b] = [values, changed].map((each) => quantize('int4', each, 130));
    expect(b!.data.subarray(0, 64)).toEqual(a!.data.subarray(0, 64));
    expect(b!.data.subarray(96)).toEqual(a!.data.subarray(96));
    expect(b!.data.subarray(64, 96)).not.toEqual(a!.data.subarray(64, 96));
  });
});
