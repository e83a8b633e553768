/**
 * A plan's stored arrays on the GPU. Packed matrices go up as they lie in the file, piece by piece and in the file's order,
 * so that no more than one piece and one matrix's scales are ever held here.
 */
import type { ReadRange } from '../checkpoint/index.ts';
import { BackendError, type GpuMemory } from '../device/index.ts';
import { BLOCK, blocksOf, readWeight, storedFormat, type StoredFormat, type WeightTensor } from '../packing/index.ts';
import { splitMatrices, type StepPlan, type StoredArray, type StoredMatrix } from '../plan/index.ts';
import {
  type Destination,
  type FrozenA,
  inFileOrder,
  paddedRows,
  pieceOf,
  storedValues,
  type WeightSource,
} from './weight-source.ts';

/** Bytes that are read at a time: about one shard. */
const PIECE_BYTES = 4 * 2 ** 20;
/** Bytes that may wait in the queue's own staging memory. */
const MOST_UNSETTLED_BYTES = 64 * 2 ** 20;

/** How each matrix is stored on the GPU, by name: as in the file, if all its tensors are alike and can be read four values at a time. */
export function storedFormats(
  stored: ReadonlyMap<string, StoredArray>,
  { tensors }: Pick<WeightSource, 'tensors'>,
): Map<string, StoredFormat> {
  const matrices = [...stored].filter((entry): entry is [string, StoredMatrix] => entry[1].kind === 'matrix');
  return new Map(
    matrices.map(([name, matrix]): [string, StoredFormat] => {
      const formats = new Set(matrix.pieces.map(({ tensor }) => storedFormat(tensors.get(tensor)!)));
      const [format = 'F32'] = formats;
      const isBlocked = format === 'int8' || format === 'int4';
      return [name, formats.size === 1 && (isBlocked || matrix.columns % 4 === 0) ? format : 'F32'];
    }),
  );
}

/** Bytes of a stored array in a format, scales included, as whole words. */
export function storedBytes(array: StoredArray, format: StoredFormat): number {
  switch (array.kind) {
    case 'matrix':
      return Math.ceil((array.rows * bytesOfRow(array, format)) / 4) * 4;
    case 'vector':
      return 4 * Math.ceil(array.size / 4) * 4;
    case 'rotary':
      return 4 * array.positions * array.rotary.headDim;
    case 'adapterA':
      return 4 * array.rows * Math.ceil(array.columns / 4) * 4;
  }
}

function bytesOfRow({ columns }: StoredMatrix, format: StoredFormat): number {
  return rowBytes(format, columns) + scaleBytes(format, columns);
}

/** The plan in which no frozen matrix that can be split takes more than `bindingBytes`. */
export function splitForBinding(
  plan: StepPlan,
  formats: ReadonlyMap<string, StoredFormat>,
  bindingBytes: number,
): StepPlan {
  return splitMatrices(plan, (name, matrix) => bindingBytes / bytesOfRow(matrix, formats.get(name) ?? 'F32'));
}

/** Allocates every stored array of a plan. @throws BackendError `tensor_too_large` */
export function allocateStored(
  stored: ReadonlyMap<string, StoredArray>,
  formats: ReadonlyMap<string, StoredFormat>,
  memory: GpuMemory,
  bindingBytes: number,
): void {
  for (const [name, array] of stored) {
    const bytes = storedBytes(array, formats.get(name) ?? 'F32');
    assertBindable(bindingBytes, name, bytes, 'a smaller model or packing');
    memory.allocate({ of: 'stored', name }, bytes);
  }
}

/** Fills every stored array of a plan. */
export async function uploadStored(
  stored: ReadonlyMap<string, StoredArray>,
  formats: ReadonlyMap<string, StoredFormat>,
  source: WeightSource,
  frozenA: FrozenA,
  memory: GpuMemory,
): Promise<void> {
  const upload = new Upload(memory);
  for (const [name, array] of stored) {
    if (array.kind !== 'matrix') {
      const values = await storedValues(array, source, frozenA);
      await upload.write(name, 0, new Uint8Array(values.buffer));
    }
  }
  const scales = new Map<string, MatrixScales>();
  for (const { tensor, ...destination } of inFileOrder(stored, source)) {
    await uploadRows(upload, destination, tensor, formats.get(destination.name)!, source.read, scales);
  }
  await upload.settle();
}

/** The scales of all pieces of a matrix, written when the last one has come: alone they may be no whole words. */
interface MatrixScales {
  bytes: Uint8Array;
  missing: number;
}

async function uploadRows(
  upload: Upload,
  { name, matrix, row, piece }: Destination,
  tensor: WeightTensor,
  format: StoredFormat,
  read: ReadRange,
  scalesOf: Map<string, MatrixScales>,
): Promise<void> {
  const { columns } = matrix;
  const perRow = rowBytes(format, columns);
  const begin = row * perRow;
  if (storedFormat(tensor) !== format || (!tensor.scales && columns % 4 !== 0)) {
    const values = paddedRows([pieceOf(await readWeight(read, tensor), piece, columns)], columns);
    return upload.write(name, begin, new Uint8Array(values.buffer));
  }
  const offset = tensor.data.offset + piece.first * perRow;
  const bytes = piece.count * perRow;
  for (let at = 0; at < bytes; at += PIECE_BYTES) {
    await upload.write(name, begin + at, await read(offset + at, Math.min(PIECE_BYTES, bytes - at)));
  }
  if (!tensor.scales) return;
  const ofRow = scaleBytes(format, columns);
  const scales = scalesOf.get(name) ?? { bytes: new Uint8Array(matrix.rows * ofRow), missing: matrix.pieces.length };
  scalesOf.set(name, scales);
  scales.bytes.set(await read(tensor.scales.offset + piece.first * ofRow, piece.count * ofRow), row * ofRow);
  scales.missing--;
  if (scales.missing === 0) await upload.write(name, matrix.rows * perRow, scales.bytes);
}

/** Writes into the buffers of stored arrays and waits now and then, so that staged bytes do not pile up. */
class Upload {
  readonly #memory: GpuMemory;
  #unsettled = 0;

  constructor(memory: GpuMemory) {
    this.#memory = memory;
  }

  /** `bytes` at byte `at`; both are whole words, but for the last bytes of a file. */
  async write(name: string, at: number, bytes: Uint8Array): Promise<void> {
    const { queue } = this.#memory.device;
    const whole = bytes.length % 4 === 0 ? bytes : wholeWords(bytes);
    queue.writeBuffer(this.#memory.get({ of: 'stored', name }), at, whole.buffer, whole.byteOffset, whole.byteLength);
    this.#unsettled += whole.length;
    if (this.#unsettled > MOST_UNSETTLED_BYTES) await this.settle();
  }

  async settle(): Promise<void> {
    this.#unsettled = 0;
    const { queue } = this.#memory.device;
    queue.submit([]);
    await queue.onSubmittedWorkDone();
  }
}

function wholeWords(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  return whole;
}

function rowBytes(format: StoredFormat, columns: number): number {
  switch (format) {
    case 'F32':
      return 4 * Math.ceil(columns / 4) * 4;
    case 'F16':
    case 'BF16':
      return 2 * Math.ceil(columns / 4) * 4;
    case 'int8':
      return blocksOf(columns) * BLOCK;
    case 'int4':
      return (blocksOf(columns) * BLOCK) / 2;
  }
}

function scaleBytes(format: StoredFormat, columns: number): number {
  return format === 'int8' || format === 'int4' ? 2 * blocksOf(columns) : 0;
}

/** @throws BackendError `tensor_too_large` for more bytes than the GPU can read as one array */
export function assertBindable(bindingBytes: number, what: string, bytes: number, instead: string): void {
  if (bytes <= bindingBytes) return;
  const [needed, allowed] = [bytes, bindingBytes].map((n) => Math.round(n / 2 ** 20));
  throw new BackendError(
    'tensor_too_large',
    `${what} takes ${needed} MiB on the GPU, which reads ${allowed} MiB at once: ${instead} is needed here.`,
  );
}
