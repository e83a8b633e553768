/**
 * The streaming packer: a checkpoint's tensors, read piece by piece, to the bytes of a packed file, in one pass. The size
 * and the header follow from the shapes alone, so nothing is held back but one matrix's scales.
 */
import {
  bytesOf,
  CheckpointError,
  type Dtype,
  encodeSafetensorsHeader,
  type ReadRange,
  sizeOf,
  widenTensor,
} from '../checkpoint/index.ts';
import { PACKING_KEY, type Packing, SHAPES_KEY, type StoredSpec, storedSpecs } from './packing.ts';
import { LARGEST_WEIGHT, quantize } from './quantize.ts';

/** A tensor of a checkpoint. `read` counts from the tensor's first byte. */
export interface SourceTensor {
  dtype: Dtype;
  shape: readonly number[];
  read: ReadRange;
}

/** Values that are read and packed at a time. */
const PIECE_VALUES = 2 ** 20;

/** A packed file that has not been written yet. `chunks` can be run through once. */
export interface PackedStream {
  bytes: number;
  chunks: AsyncGenerator<Uint8Array, void, undefined>;
}

/**
 * Packs tensors, given by canonical name in the order of the forward pass. The stream
 * @throws CheckpointError `bad_values` naming a tensor with a weight that is not finite, or beyond LARGEST_WEIGHT in a
 * matrix; `unsupported` for a type that holds no weights
 */
export function packTensors(tensors: ReadonlyMap<string, SourceTensor>, packing: Packing): PackedStream {
  const order = [...tensors].toSorted(([, a], [, b]) => misalignment(a, packing) - misalignment(b, packing));
  const specs = order.flatMap(([name, { shape }]) => storedSpecs(name, shape, packing));
  const shapes = order.filter(([, { shape }]) => shape.length === 2).map(([name, { shape }]) => [name, shape]);
  const header = encodeSafetensorsHeader(specs, {
    format: 'pt',
    [PACKING_KEY]: packing,
    ...(packing === 'f16' ? {} : { [SHAPES_KEY]: JSON.stringify(Object.fromEntries(shapes)) }),
  });
  return { bytes: header.byteLength + storedBytes(specs), chunks: packedChunks(header, order, packing) };
}

function storedBytes(specs: readonly StoredSpec[]): number {
  return specs.reduce((sum, { dtype, shape }) => sum + bytesOf(dtype, shape), 0);
}

/** 0 or 2: tensors whose bytes are no whole 32-bit words come last, so that all others start at one. */
function misalignment({ shape }: SourceTensor, packing: Packing): number {
  return storedBytes(storedSpecs('', shape, packing)) % 4;
}

async function* packedChunks(
  header: Uint8Array,
  tensors: readonly [string, SourceTensor][],
  packing: Packing,
): PackedStream['chunks'] {
  yield header;
  for (const [name, tensor] of tensors) {
    if (tensor.shape.length === 2) yield* matrixChunks(name, tensor, packing);
    else yield bytesIn(await valuesOf(name, tensor, 0, sizeOf(tensor.shape), Number.MAX_VALUE));
  }
}

async function* matrixChunks(name: string, tensor: SourceTensor, packing: Packing): PackedStream['chunks'] {
  const [rows, columns] = tensor.shape as [number, number];
  const rowsAtOnce = Math.max(1, Math.floor(PIECE_VALUES / columns));
  const scales: Uint16Array[] = [];
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - row) * columns;
    const values = await valuesOf(name, tensor, row * columns, count, LARGEST_WEIGHT);
    const packed = quantize(packing, values, columns);
    scales.push(packed.scales);
    yield packed.data;
  }
  for (const part of scales) yield bytesIn(part);
}

/** `count` values from the `first`-th on, as f32. @throws CheckpointError `bad_values` beyond `limit` */
async function valuesOf(name: string, { dtype, read }: SourceTensor, first: number, count: number, limit: number) {
  const values = widenTensor(name, dtype, await read(bytesOf(dtype, [first]), bytesOf(dtype, [count])));
  for (let i = 0; i < count; i++) {
    if (Math.abs(values[i]!) <= limit) continue;
    const problem = Number.isFinite(values[i]) ? `; the largest weight that can be packed is ${limit}` : '';
    throw new CheckpointError('bad_values', `Tensor ${name} holds ${values[i]} at position ${first + i}${problem}.`);
  }
  return values;
}

function bytesIn({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
