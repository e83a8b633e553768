/** Where a model's frozen tensors are read from, and how a plan's stored arrays are put together from them. */
import { checkTensors, type ModelConfig, rotaryFrequencies } from '../architecture/index.ts';
import type { ReadRange, TensorEntry } from '../checkpoint/index.ts';
import { readWeight, readWeightFile, type WeightTensor } from '../packing/index.ts';
import type { Piece, StoredArray, StoredMatrix } from '../plan/index.ts';

/** A weights file's tensors under their canonical names, and its bytes. */
export interface WeightSource {
  tensors: ReadonlyMap<string, WeightTensor>;
  read: ReadRange;
}

/** A file's tensors. @throws CheckpointError `malformed` or `wrong_tensors` when it is not this config's model */
export async function openWeights(config: ModelConfig, read: ReadRange, fileBytes: number): Promise<WeightSource> {
  const { tensors } = await readWeightFile(read, fileBytes);
  return { tensors: checkTensors(config, tensors), read };
}

/** Tensors in memory as a source. @throws CheckpointError `wrong_tensors` */
export function weightsInMemory(config: ModelConfig, entries: ReadonlyMap<string, TensorEntry>): WeightSource {
  const tensors = new Map<string, WeightTensor>();
  const pieces: { offset: number; bytes: Uint8Array }[] = [];
  let offset = 0;
  for (const [name, { shape, values }] of checkTensors(config, entries)) {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    tensors.set(name, { name, shape: [...shape], dtype: 'F32', data: { offset, bytes: bytes.length }, scales: null });
    pieces.push({ offset, bytes });
    offset += bytes.length;
  }
  const read: ReadRange = async (from, length) => {
    const piece = pieces.findLast((candidate) => candidate.offset <= from)!;
    return piece.bytes.subarray(from - piece.offset, from - piece.offset + length);
  };
  return { tensors, read };
}

/** Rows of a matrix that a piece of a tensor becomes. */
export interface Destination {
  name: string;
  matrix: StoredMatrix;
  /** The piece's first row there. */
  row: number;
  piece: Piece;
}

/** All rows of all stored matrices, as they come when the file is read from front to back. */
export function inFileOrder(
  stored: ReadonlyMap<string, StoredArray>,
  { tensors }: WeightSource,
): (Destination & { tensor: WeightTensor })[] {
  const found = [...stored].flatMap(([name, matrix]) => {
    if (matrix.kind !== 'matrix') return [];
    let next = 0;
    return matrix.pieces.map((piece) => {
      const row = next;
      next += piece.count;
      return { name, matrix, row, piece, tensor: tensors.get(piece.tensor)! };
    });
  });
  return found.toSorted((a, b) => a.tensor.data.offset - b.tensor.data.offset || a.piece.first - b.piece.first);
}

/** The rows of a piece among all values of its tensor. */
export function pieceOf(values: Float32Array, { first, count }: Piece<unknown>, columns: number): Float32Array {
  return values.subarray(first * columns, (first + count) * columns);
}

/** Frozen A's by the name of their adapted layer: `[rank, in]`. */
export type FrozenA = ReadonlyMap<string, Float32Array>;

/** Any stored array as f32, rows padded with zeros to a multiple of four columns. */
export async function storedValues(array: StoredArray, source: WeightSource, frozenA: FrozenA): Promise<Float32Array> {
  switch (array.kind) {
    case 'matrix': {
      const values: Float32Array[] = [];
      for (const piece of array.pieces) {
        values.push(pieceOf(await readWeight(source.read, source.tensors.get(piece.tensor)!), piece, array.columns));
      }
      return paddedRows(values, array.columns);
    }
    case 'vector':
      return vectorValues(array, source);
    case 'rotary':
      return rotaryTable(array);
    case 'adapterA':
      return stackedA(array, frozenA);
  }
}

/** f32 of a stored vector. */
export async function vectorValues(
  { pieces, size }: Extract<StoredArray, { kind: 'vector' }>,
  { tensors, read }: WeightSource,
): Promise<Float32Array> {
  const values = new Float32Array(Math.ceil(size / 4) * 4);
  let at = 0;
  for (const piece of pieces) {
    if (piece.tensor !== null) {
      const stored = await readWeight(read, tensors.get(piece.tensor)!);
      values.set(pieceOf(stored, piece, 1), at);
    }
    at += piece.count;
  }
  return values;
}

/** Pairs (cosine, sine), `[positions, C/2]`, from angles in double precision. */
export function rotaryTable({ rotary, positions }: Extract<StoredArray, { kind: 'rotary' }>): Float32Array {
  const frequencies = rotaryFrequencies(rotary);
  const half = frequencies.length;
  const table = new Float32Array(2 * positions * half);
  for (let t = 0; t < positions; t++) {
    for (let i = 0; i < half; i++) {
      table[2 * (t * half + i)] = Math.cos(t * frequencies[i]!);
      table[2 * (t * half + i) + 1] = Math.sin(t * frequencies[i]!);
    }
  }
  return table;
}

/** The A's of a group one after the other, each with zero rows up to a multiple of four. */
export function stackedA(
  { modules, rows, columns }: Extract<StoredArray, { kind: 'adapterA' }>,
  frozenA: FrozenA,
): Float32Array {
  const stride = Math.ceil(columns / 4) * 4;
  const stacked = new Float32Array(rows * stride);
  let row = 0;
  for (const name of modules) {
    const a = frozenA.get(name)!;
    const rank = a.length / columns;
    stacked.set(paddedRows([a], columns), row * stride);
    row += Math.ceil(rank / 4) * 4;
  }
  return stacked;
}

/** Rows of `columns` values, from arrays one after the other, as rows of a multiple of four. */
export function paddedRows(arrays: readonly Float32Array[], columns: number): Float32Array {
  const stride = Math.ceil(columns / 4) * 4;
  const rows = arrays.reduce((sum, { length }) => sum + length, 0) / columns;
  const padded = new Float32Array(rows * stride);
  let row = 0;
  for (const array of arrays) {
    for (let at = 0; at < array.length; at += columns) padded.set(array.subarray(at, at + columns), row++ * stride);
  }
  return padded;
}
