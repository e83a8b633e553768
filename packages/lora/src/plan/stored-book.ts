/** What a plan reads and never writes: which checkpoint tensors, tables and frozen A's lie in which buffer. */
import type { Rotary } from '../architecture/index.ts';
import type { Matrix, Vector } from './values.ts';

/** One buffer of frozen numbers. */
export type StoredArray =
  /** Checkpoint tensors whose rows follow each other, packed as they come. */
  | { kind: 'matrix'; tensors: readonly string[]; tensorRows: readonly number[]; rows: number; columns: number }
  /** f32 of checkpoint vectors one after the other, zeros where a tensor is null. */
  | { kind: 'vector'; pieces: readonly { tensor: string | null; size: number }[]; size: number }
  /** f32 pairs (cos, sin), `[positions, C/2]`. */
  | { kind: 'rotary'; rotary: Rotary; positions: number }
  /** f32 A of adapted layers, `[rank, in]` each, ranks padded to a multiple of four with zero rows. */
  | { kind: 'adapterA'; modules: readonly string[]; rows: number; columns: number };

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
  matrix(pieces: readonly { tensor: string; rows: number }[], columns: number): Matrix {
    const tensors = pieces.map(({ tensor }) => tensor);
    const tensorRows = pieces.map((piece) => piece.rows);
    const rows = tensorRows.reduce((sum, count) => sum + count, 0);
    const name = this.#add(tensors[0]!, { kind: 'matrix', tensors, tensorRows, rows, columns });
    return { from: 'stored', name, rows, columns };
  }

  vector(pieces: readonly { tensor: string | null; size: number }[]): Vector {
    const size = pieces.reduce((sum, piece) => sum + piece.size, 0);
    const name = pieces.find(({ tensor }) => tensor !== null)!.tensor!;
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
