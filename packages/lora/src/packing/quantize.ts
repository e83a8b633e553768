/**
 * Rows of a matrix to bytes and back. int8 is symmetric: the scale is the block's largest magnitude over 127. int4 uses
 * all sixteen levels as llama.cpp's Q4_0 does: the value of largest magnitude becomes -8, so a scale may be negative.
 * On models/tiny and stories260K (2026-11) that errs by 9.2 and 9.3 % of the weights' length; magnitude over 7 by 10.5 and
 * 10.6 %, NF4 by 9.2 and 9.4 %.
 */
import { narrowFloat16, widenFloat16 } from '../checkpoint/index.ts';
import { BLOCK, blocksOf, type Packing } from './packing.ts';

/** Rows as stored. `scales`: binary16 bit patterns, one a block, rows after each other; empty for f16. */
export interface PackedRows {
  data: Uint8Array;
  scales: Uint16Array;
}

/** The largest magnitude that every packing can hold: the largest binary16. */
export const LARGEST_WEIGHT = 65_504;

/**
 * Packs `values`, whole rows of `columns` finite numbers of at most LARGEST_WEIGHT. With s the block's stored scale a
 * value comes back with an error of at most |s| / 2 (int8), |s| / 2 or |s| at the end opposite to the largest (int4), or
 * half a unit in the last place of binary16 (f16).
 */
export function quantize(packing: Packing, values: Float32Array, columns: number): PackedRows {
  switch (packing) {
    case 'f16':
      return { data: new Uint8Array(narrowFloat16(values).buffer), scales: new Uint16Array() };
    case 'int8':
      return quantizeInt8(values, columns);
    case 'int4':
      return quantizeInt4(values, columns);
  }
}

/** What `quantize` packed, as `[rows, columns]`. */
export function dequantize(packing: Packing, { data, scales }: PackedRows, columns: number): Float32Array {
  switch (packing) {
    case 'f16': {
      const aligned = data.byteOffset % 2 === 0 ? data : new Uint8Array(data);
      return widenFloat16(new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2));
    }
    case 'int8': {
      const levels = new Int8Array(data.buffer, data.byteOffset, data.byteLength);
      return dequantizeBlocks(widenFloat16(scales), columns, (at) => levels[at]!);
    }
    case 'int4':
      return dequantizeBlocks(widenFloat16(scales), columns, (at) => ((data[at >> 1]! >> ((at & 1) * 4)) & 15) - 8);
  }
}

function quantizeInt8(values: Float32Array, columns: number): PackedRows {
  const blocks = blocksOf(columns);
  const rows = values.length / columns;
  const levels = new Int8Array(rows * blocks * BLOCK);
  const largest = largestOfBlocks(values, columns);
  const scales = float16AtLeast(largest.map((value) => Math.abs(value) / 127));
  const widened = widenFloat16(scales);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const scale = widened[row * blocks + (column >> 6)]!;
      if (scale !== 0) levels[row * blocks * BLOCK + column] = Math.round(values[at]! / scale);
    }
  }
  return { data: new Uint8Array(levels.buffer), scales };
}

function quantizeInt4(values: Float32Array, columns: number): PackedRows {
  const blocks = blocksOf(columns);
  const rows = values.length / columns;
  // Level 0, the padding too, is nibble 8.
  const data = new Uint8Array((rows * blocks * BLOCK) / 2).fill(0x88);
  const largest = largestOfBlocks(values, columns);
  const scales = float16AtLeast(largest.map((value) => value / -8));
  const widened = widenFloat16(scales);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const scale = widened[row * blocks + (column >> 6)]!;
      if (scale === 0) continue;
      const nibble = Math.min(7, Math.round(values[at]! / scale)) + 8;
      const byte = (row * blocks * BLOCK + column) >> 1;
      data[byte] = column & 1 ? (data[byte]! & 0x0f) | (nibble << 4) : (data[byte]! & 0xf0) | nibble;
    }
  }
  return { data, scales };
}

/** The value of largest magnitude of each block, with its sign. */
function largestOfBlocks(values: Float32Array, columns: number): Float32Array {
  const blocks = blocksOf(columns);
  const rows = values.length / columns;
  const largest = new Float32Array(rows * blocks);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const block = row * blocks + (column >> 6);
      if (Math.abs(values[at]!) > Math.abs(largest[block]!)) largest[block] = values[at]!;
    }
  }
  return largest;
}

/** The binary16 patterns next to these values that are not closer to zero: no level has to be cut off. */
function float16AtLeast(values: Float32Array): Uint16Array {
  const bits = narrowFloat16(values);
  const nearest = widenFloat16(bits);
  for (let i = 0; i < bits.length; i++) if (Math.abs(nearest[i]!) < Math.abs(values[i]!)) bits[i]!++;
  return bits;
}

/** `level` reads the integer at a padded position. */
function dequantizeBlocks(scales: Float32Array, columns: number, level: (at: number) => number): Float32Array {
  const blocks = blocksOf(columns);
  const rows = scales.length / blocks;
  const values = new Float32Array(rows * columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      values[at] = level(row * blocks * BLOCK + column) * scales[row * blocks + (column >> 6)]!;
    }
  }
  return values;
}
