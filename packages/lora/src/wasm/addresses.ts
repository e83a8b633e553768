/** Where the arrays of an operation lie, as kernels take them: an address and the bytes from one row to the next. */
import type { BatchInputs, FlatState } from '../kernels/index.ts';
import {
  type Matrix,
  strideOf,
  type TrainedMatrix,
  type TrainedVector,
  type Vector,
  type View,
} from '../plan/index.ts';
import type { KernelExports } from './wasm-kernels.ts';
import type { WasmMemory } from './wasm-memory.ts';

export type Rowed = [address: number, rowBytes: number];

export class Addresses {
  readonly kernels: KernelExports;
  readonly scratch: number;
  readonly #memory: WasmMemory;

  constructor(memory: WasmMemory) {
    this.#memory = memory;
    this.kernels = memory.kernels;
    this.scratch = memory.scratch;
  }

  get measures(): number {
    return this.#memory.pointer({ of: 'measures' });
  }

  view({ value, row, column }: View): Rowed {
    const stride = strideOf(value);
    return [this.#memory.pointer({ of: 'value', value }) + 4 * (row * stride + column), 4 * stride];
  }

  /** A view that may be missing: address 0. */
  optional(view: View | null): Rowed {
    return view ? this.view(view) : [0, 0];
  }

  /** Floats behind the view's columns that whoever writes it must zero. */
  padding({ value, column, columns }: View): number {
    return column + columns === value.columns ? strideOf(value) - value.columns : 0;
  }

  matrix(matrix: Matrix): Rowed {
    const address = matrix.from === 'stored' ? this.stored(matrix.name) : this.state('values') + 4 * matrix.offset;
    return [address, 4 * strideOf(matrix)];
  }

  vector(vector: Vector): number {
    return vector.from === 'stored' ? this.stored(vector.name) : this.state('values') + 4 * vector.offset;
  }

  /** The gradient of something trained. */
  gradient({ offset }: TrainedMatrix | TrainedVector): number {
    return this.state('gradient') + 4 * offset;
  }

  stored(name: string): number {
    return this.#memory.pointer({ of: 'stored', name });
  }

  state(name: keyof FlatState): number {
    return this.#memory.pointer({ of: 'state', name });
  }

  /** N: how many numbers are trained. */
  get trained(): number {
    return this.#memory.floats({ of: 'state', name: 'values' }).length;
  }

  input(name: keyof BatchInputs): number {
    return this.#memory.pointer({ of: 'input', name });
  }
}
