/** Random matrices as a device holds them, in every format, and what their bytes mean. */
import { narrowBfloat16, narrowFloat16, widenBfloat16, widenFloat16 } from '../checkpoint/half-floats.ts';
import { dequantize, quantize, type StoredFormat } from '../packing/index.ts';
import { type Matrix, strideOf } from '../plan/index.ts';
import type { RandomMemory } from './random-memory.ts';

/** Stores a matrix of numbers between -1 and 1: what it means in `random`'s memory, its bytes in `packed`. */
export function storeMatrix(
  random: RandomMemory,
  packed: Map<string, Uint8Array>,
  format: StoredFormat,
  rows: number,
  columns: number,
): Matrix {
  const name = `matrix ${packed.size}`;
  const exact = Float32Array.from({ length: rows * columns }, () => random.number());
  const stride = strideOf({ columns });
  const { values, bytes } = stored(format, exact, columns);
  const padded = padRows(values, columns, stride);
  random.put(name, Float64Array.from(padded));
  packed.set(name, bytes ?? new Uint8Array(padded.buffer));
  return { from: 'stored', name, rows, columns };
}

/** The bytes of f32 values in a format, and what comes back; no bytes for f32. */
function stored(
  format: StoredFormat,
  exact: Float32Array,
  columns: number,
): { values: Float32Array; bytes?: Uint8Array } {
  const stride = strideOf({ columns });
  switch (format) {
    case 'F32':
      return { values: exact };
    case 'F16': {
      const halves = narrowFloat16(exact);
      return { values: widenFloat16(halves), bytes: new Uint8Array(padRows(halves, columns, stride).buffer) };
    }
    case 'BF16': {
      const halves = narrowBfloat16(exact);
      return { values: widenBfloat16(halves), bytes: new Uint8Array(padRows(halves, columns, stride).buffer) };
    }
    case 'int8':
    case 'int4': {
      const rows = quantize(format, exact, columns);
      const bytes = new Uint8Array(rows.data.byteLength + rows.scales.byteLength);
      bytes.set(rows.data);
      bytes.set(new Uint8Array(rows.scales.buffer), rows.data.byteLength);
      return { values: dequantize(format, rows, columns), bytes };
    }
  }
}

function padRows<T extends Float32Array | Uint16Array>(values: T, columns: number, stride: number): T {
  const rows = values.length / columns;
  const padded = (
    values instanceof Float32Array ? new Float32Array(rows * stride) : new Uint16Array(rows * stride)
  ) as T;
  for (let row = 0; row < rows; row++) padded.set(values.subarray(row * columns, (row + 1) * columns), row * stride);
  return padded;
}
