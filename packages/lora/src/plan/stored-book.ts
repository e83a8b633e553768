/** What a plan reads and never writes: which checkpoint tensors, tables and frozen A's lie in which buffer. */
import type { Rotary } from '../architecture/index.ts';
import type { Matrix, Vector } from './values.ts';

/** `count` rows of a checkpoint's matrix, or numbers of its vector, from number `first` on. */
export interface Piece<Tensor = string> {
  tensor: Tensor;
  first: number;
  count: number;
}

/** One buffer of frozen numbers. */
export type StoredArray =
  /** Pieces of checkpoint tensors whose rows follow each other, packed as they come. */
  | { kind: 'matrix'; pieces: readonly Piece[]; rows: number; columns: number }
  /** f32 of pieces of checkpoint vectors one after the other, zeros where a tensor is null. */
  | { kind: 'vector'; pieces: readonly Piece<string | null>[]; size: number }
  /** f32 pairs (cos, sin), `[positions, C/2]`. */
  | { kind: 'rotary'; rotary: Rotary; positions: number }
  /** f32 A of adapted layers, `[rank, in]` each, ranks padded to a multiple of four with zero rows. */
  | { kind: 'adapterA'; modules: readonly string[]; rows: number; columns: number };

export type StoredMatrix = Extract<StoredArray, { kind: 'matrix' }>;

/** Collects stored arrays, each once, by name. */
export class StoredBook {
  readonly arrays = new Map<string, StoredArray>();
  readonly #positions: number;
  readonly #rotaries = new Map<Rotary, string>();

  /** `positions`: how many the rotary tables must reach. */
  constructor(positions: number) {
    this.#positions = positions;
  }

  /** Tensors of `columns` columns whose rows follow each other. */
  matrix(tensors: readonly { tensor: string; rows: number }[], columns: number): Matrix {
    const pieces = tensors.map(({ tensor, rows }) => ({ tensor, first: 0, count: rows }));
    const rows = countOf(pieces);
    const name = this.#add(tensors[0]!.tensor, { kind: 'matrix', pieces, rows, columns });
    return { from: 'stored', name, rows, columns };
  }

  vector(tensors: readonly { tensor: string | null; size: number }[]): Vector {
    const pieces = tensors.map(({ tensor, size }) => ({ tensor, first: 0, count: size }));
    const size = countOf(pieces);
    const name = tensors.find(({ tensor }) => tensor !== null)!.tensor!;
    return { from: 'stored', name: this.#add(name, { kind: 'vector', pieces, size }), size };
  }

  /** The name of a rotary table; layers that turn alike share it. */
  rotary(rotary: Rotary): string {
    let name = this.#rotaries.get(rotary);
    if (name === undefined) {
      name = this.#add(`rotary ${this.#rotaries.size}`, { kind: 'rotary', rotary, positions: this.#positions });
      this.#rotaries.set(rotary, name);
    }
    return name;
  }

  adapterA(modules: readonly string[], rows: number, columns: number): Matrix {
    const name = this.#add(`${modules[0]} A`, { kind: 'adapterA', modules, rows, columns });
    return { from: 'stored', name, rows, columns };
  }

  #add(name: string, array: StoredArray): string {
    this.arrays.set(name, array);
    return name;
  }
}

/** Rows, or numbers, of all pieces. */
function countOf(pieces: readonly Piece<unknown>[]): number {
  return pieces.reduce((sum, { count }) => sum + count, 0);
}
