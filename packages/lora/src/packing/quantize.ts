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

/** Added and taken away again, it rounds a small double to the nearest whole number: five times as fast as Math.round. */
const ROUND = 1.5 * 2 ** 52;

/**
 * Packs `values`, whole rows of `columns` finite numbers of at most LARGEST_WEIGHT. With s the block's stored scale a
 * value comes back with an error of at most |s| / 2 (int8), |s| / 2 or |s| at the end opposite to the largest (int4), or
 * half a unit in the last place of binary16 (f16). Blocks below 1e-43 come back as zeros.
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
    case 'int8':
      return dequantizeInt8(
        new Int8Array(data.buffer, data.byteOffset, data.byteLength),
        widenFloat16(scales),
        columns,
      );
    case 'int4':
      return dequantizeInt4(data, widenFloat16(scales), columns);
  }
}

function quantizeInt8(values: Float32Array, columns: number): PackedRows {
  const largest = largestOfBlocks(values, columns);
  const scales = float16AtLeast(largest.map((value) => Math.abs(value) / 127));
  const widened = widenFloat16(scales);
  const levels = new Int8Array(largest.length * BLOCK);
  forEachBlock(values.length, columns, (block, begin, end) => {
    if (widened[block] === 0) return;
    const perScale = 1 / widened[block]!;
    for (let at = begin, to = block * BLOCK; at < end; at++, to++) levels[to] = values[at]! * perScale + ROUND - ROUND;
  });
  return { data: new Uint8Array(levels.buffer), scales };
}

function quantizeInt4(values: Float32Array, columns: number): PackedRows {
  const largest = largestOfBlocks(values, columns);
  const scales = float16AtLeast(largest.map((value) => value / -8));
  const widened = widenFloat16(scales);
  // Level 0, the padding too, is nibble 8.
  const data = new Uint8Array((largest.length * BLOCK) / 2).fill(0x88);
  forEachBlock(values.length, columns, (block, begin, end) => {
    if (widened[block] === 0) return;
    const perScale = 1 / widened[block]!;
    let to = (block * BLOCK) / 2;
    for (let at = begin; at < end; at += 2, to++) {
      const low = Math.min(7, values[at]! * perScale + ROUND - ROUND);
      const high = at + 1 < end ? Math.min(7, values[at + 1]! * perScale + ROUND - ROUND) : 0;
      data[to] = (low + 8) | ((high + 8) << 4);
    }
  });
  return { data, scales };
}

/** Tells where each block's values begin and end, rows after each other. */
function forEachBlock(size: number, columns: number, visit: (block: number, begin: number, end: number) => void): void {
  let block = 0;
  for (let row = 0; row < size; row += columns) {
    for (let begin = row; begin < row + columns; begin += BLOCK) {
      visit(block++, begin, Math.min(begin + BLOCK, row + columns));
    }
  }
}

/** The value of largest magnitude of each block, with its sign. */
function largestOfBlocks(values: Float32Array, columns: number): Float32Array {
  const found = new Float32Array((values.length / columns) * blocksOf(columns));
  forEachBlock(values.length, columns, (block, begin, end) => {
    let largest = 0;
    for (let at = begin; at < end; at++) if (Math.abs(values[at]!) > Math.abs(largest)) largest = values[at]!;
    found[block] = largest;
  });
  return found;
}

/** The binary16 patterns next to these values that are not closer to zero: no level has to be cut off. */
function float16AtLeast(values: Float32Array): Uint16Array {
  const bits = narrowFloat16(values);
  const nearest = widenFloat16(bits);
  for (let i = 0; i < bits.length; i++) if (Math.abs(nearest[i]!) < Math.abs(values[i]!)) bits[i]!++;
  return bits;
}

function dequantizeInt8(levels: Int8Array, scales: Float32Array, columns: number): Float32Array {
  const values = new Float32Array((scales.length / blocksOf(columns)) * columns);
  forEachBlock(values.length, columns, (block, begin, end) => {
    const scale = scales[block]!;
    for (let at = begin, from = block * BLOCK; at < end; at++, from++) values[at] = levels[from]! * scale;
  });
  return values;
}

function dequantizeInt4(data: Uint8Array, scales: Float32Array, columns: number): Float32Array {
  const values = new Float32Array((scales.length / blocksOf(columns)) * columns);
  forEachBlock(values.length, columns, (block, begin, end) => {
    const scale = scales[block]!;
    let from = (block * BLOCK) / 2;
    for (let at = begin; at < end; at += 2, from++) {
      values[at] = ((data[from]! & 15) - 8) * scale;
      if (at + 1 < end) values[at + 1] = ((data[from]! >> 4) - 8) * scale;
    }
  });
  return values;
}
