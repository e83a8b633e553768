/** Whole safetensors files in memory: every tensor as f32, and back. */
import { CheckpointError } from './checkpoint-error.ts';
import { narrowBfloat16, narrowFloat16, widenBfloat16, widenFloat16 } from './half-floats.ts';
import { type Dtype, encodeSafetensorsHeader, safetensorsHeaderOf, sizeOf } from './safetensors-header.ts';

/** One tensor of a checkpoint, widened to f32. `dtype` is how the file stores it. */
export interface TensorEntry {
  dtype: Dtype;
  shape: number[];
  /** Row-major; length is the product of `shape`. May share memory with the file's bytes. */
  values: Float32Array;
}

/**
 * Reads every tensor of a safetensors file, in the order of their bytes.
 * @throws CheckpointError `malformed` on truncation, a bad header, overlaps, gaps or a size that contradicts a shape;
 * `unsupported` on a tensor of a type that holds no weights
 */
export function readSafetensors(file: Uint8Array): Map<string, TensorEntry> {
  const { tensors } = safetensorsHeaderOf(file);
  return new Map(
    [...tensors].map(([name, { dtype, shape, begin, end }]) => [
      name,
      { dtype, shape, values: widenTensor(name, dtype, file.subarray(begin, end)) },
    ]),
  );
}

/**
 * The bytes of a stored tensor, or of a part of one, as f32. May share memory with `bytes`.
 * @throws CheckpointError `unsupported` for anything but F32, F16 and BF16
 */
export function widenTensor(name: string, dtype: Dtype, bytes: Uint8Array): Float32Array {
  assertHoldsWeights(name, dtype);
  const { buffer, byteOffset, byteLength } = aligned(bytes);
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case 'F16':
      return widenFloat16(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case 'BF16':
      return widenBfloat16(new Uint16Array(buffer, byteOffset, byteLength / 2));
  }
}

/** @throws CheckpointError `unsupported` for anything but F32, F16 and BF16 */
export function assertHoldsWeights(name: string, dtype: Dtype): asserts dtype is 'F32' | 'F16' | 'BF16' {
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return;
  throw new CheckpointError(
    'unsupported',
    `Tensor ${name} has dtype ${dtype}; weights are read as F32, F16 or BF16. Convert the checkpoint first.`,
  );
}

/**
 * f32 as the bytes of a stored tensor, rounded to nearest.
 * @throws CheckpointError `bad_values` naming a tensor with a value that the type does not reach
 */
export function narrowTensor(name: string, dtype: 'F32' | 'F16' | 'BF16', values: Float32Array): Uint8Array {
  const stored = dtype === 'F32' ? values : dtype === 'F16' ? narrowFloat16(values) : narrowBfloat16(values);
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  const infinite = widenTensor(name, dtype, bytes).findIndex((value) => !Number.isFinite(value));
  if (infinite >= 0) {
    throw new CheckpointError('bad_values', `Tensor ${name} holds ${values[infinite]}, which ${dtype} does not reach.`);
  }
  return bytes;
}

/** The bytes at an offset that any typed array can have. A copy by constructor: a Buffer's `slice` copies nothing. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
}

/**
 * Writes an F32 safetensors file. The same tensors give the same bytes, whatever order they come in: sorted by name,
 * contiguous, the header padded with spaces to a multiple of 8 bytes.
 * @throws RangeError when values do not fill their shape or a name is used twice
 */
export function writeSafetensors(
  tensors: readonly SafetensorsEntry[],
  metadata?: Record<string, string>,
): Uint8Array<ArrayBuffer> {
  return joined(safetensorsParts(tensors, metadata));
}

/** A tensor to write, row-major. */
export interface SafetensorsEntry {
  name: string;
  shape: readonly number[];
  values: Float32Array;
}

/** What `writeSafetensors` would write, one part after the other; no value is copied. Throws as it does. */
export function safetensorsParts(
  tensors: readonly SafetensorsEntry[],
  metadata?: Record<string, string>,
): Uint8Array[] {
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, shape, values } of sorted) {
    if (values.length !== sizeOf(shape)) {
      throw new RangeError(`writeSafetensors: ${name} has ${values.length} values for [${shape.join(', ')}]`);
    }
  }
  const header = encodeSafetensorsHeader(
    sorted.map(({ name, shape }) => ({ name, dtype: 'F32', shape })),
    metadata,
  );
  return [
    header,
    ...sorted.map(({ values: { buffer, byteOffset, byteLength } }) => new Uint8Array(buffer, byteOffset, byteLength)),
  ];
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
