/**
 * One stored tensor to a float32 tensor on the current backend. On WebGPU the bytes go up as they are and are expanded
 * there; on WASM they are widened part by part into the heap. Neither way makes a float copy of a tensor in JavaScript.
 */
import { type ReadRange, sizeOf, widenTensor } from '../checkpoint/index.ts';
import { blocksOf, dequantize, storedFormat, type WeightTensor } from '../packing/index.ts';
import { getBackend, openHeapTensor, openPackedUpload, type Tensor } from '../tensor/index.ts';

/** Bytes that are read at a time: about one shard. */
const PIECE_BYTES = 4 * 2 ** 20;
/** Values that are widened at a time. */
const PIECE_VALUES = 2 ** 20;

/**
 * The tensor in its stored shape; the caller disposes it.
 * @throws CheckpointError `unsupported` on a type that holds no weights; BackendError `tensor_too_large` or
 * `device_failed` when the GPU cannot hold it
 */
export async function loadWeight(read: ReadRange, weight: WeightTensor): Promise<Tensor> {
  return getBackend() === 'webgpu' ? loadOnGpu(read, weight) : loadIntoHeap(read, weight);
}

async function loadOnGpu(read: ReadRange, weight: WeightTensor): Promise<Tensor> {
  const { data, scales, shape } = weight;
  const format = storedFormat(weight);
  const upload = await openPackedUpload(data.bytes + (scales?.bytes ?? 0));
  try {
    for (let at = 0; at < data.bytes; at += PIECE_BYTES) {
      upload.write(at, await read(data.offset + at, Math.min(PIECE_BYTES, data.bytes - at)));
    }
    if (scales) upload.write(data.bytes, await read(scales.offset, scales.bytes));
    return await upload.expand(format, shape, data.bytes);
  } finally {
    upload.dispose();
  }
}

async function loadIntoHeap(read: ReadRange, weight: WeightTensor): Promise<Tensor> {
  const target = await openHeapTensor(weight.shape);
  try {
    if (weight.scales) await fillFromBlocks(read, weight, weight.scales, target.write.bind(target));
    else await fillFromValues(read, weight, target.write.bind(target));
    return target.tensor;
  } catch (error) {
    target.tensor.dispose();
    throw error;
  }
}

type Write = (at: number, values: Float32Array) => void;

async function fillFromValues(read: ReadRange, { name, dtype, shape, data }: WeightTensor, write: Write) {
  const size = sizeOf(shape);
  const valueBytes = data.bytes / size;
  for (let at = 0; at < size; at += PIECE_VALUES) {
    const count = Math.min(PIECE_VALUES, size - at);
    write(at, widenTensor(name, dtype, await read(data.offset + at * valueBytes, count * valueBytes)));
  }
}

/** The scales lie behind the data, and files are read in order: so a matrix's packed bytes are held until they come. */
async function fillFromBlocks(
  read: ReadRange,
  { dtype, shape, data }: WeightTensor,
  scales: NonNullable<WeightTensor['scales']>,
  write: Write,
) {
  const [rows, columns] = shape as [number, number];
  const packed = await read(data.offset, data.bytes);
  const scaleBits = new Uint16Array(new Uint8Array(await read(scales.offset, scales.bytes)).buffer);
  const rowsAtOnce = Math.max(1, Math.floor(PIECE_VALUES / columns));
  const rowBytes = data.bytes / rows;
  const blocks = blocksOf(columns);
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const end = Math.min(rows, row + rowsAtOnce);
    const piece = {
      data: packed.subarray(row * rowBytes, end * rowBytes),
      scales: scaleBits.subarray(row * blocks, end * blocks),
    };
    write(row * columns, dequantize(dtype === 'I8' ? 'int8' : 'int4', piece, columns));
  }
}
