/** Random arrays for the operations of a test, all representable in f32. */
import type { HostMemory } from '../kernels/index.ts';
import { type BatchShape, type Matrix, strideOf, type Value, type Vector, type View } from '../plan/index.ts';

/** The rows of every value made here: more than any operation of the tests works on. */
const CAPACITY = 80;

export class RandomMemory {
  readonly memory: HostMemory;
  readonly #stored = new Map<string, Float64Array>();
  #state: number;
  #ids = 0;

  /** `trained`: N. */
  constructor(seed: number, shape: BatchShape, trained = 0, scalars: Partial<HostMemory['scalars']> = {}) {
    this.#state = seed;
    const tokens = shape.rows * shape.positions;
    const position = Array.from({ length: tokens }, (_, i) => i)
      .toSorted(() => this.number())
      .slice(0, shape.scored);
    const rowOfPosition = new Int32Array(tokens).fill(shape.scored);
    position.forEach((at, row) => (rowOfPosition[at] = row));
    const whole = (length: number, below: number) => Int32Array.from({ length }, () => this.index(below));
    this.memory = {
      shape,
      inputs: {
        ids: whole(tokens, 17),
        position: Int32Array.from(position),
        label: whole(shape.scored, 17),
        weight: Float32Array.from({ length: shape.scored }, () => Math.abs(this.number())),
        rowOfPosition,
      },
      scalars: { step: 3, learningRate: 0.01, weightDecay: 0.1, clipNorm: 1, accumulates: false, ...scalars },
      state: {
        values: this.array(trained),
        gradient: this.array(trained),
        firstMoment: this.array(trained),
        secondMoment: this.array(trained).map(Math.abs),
      },
      measures: Float64Array.of(Math.fround(2.3), 0, 0),
      stored: this.#stored,
      values: new Map(),
    };
  }

  /** In [-1, 1). */
  number(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.fround(this.#state / 2 ** 31 - 1);
  }

  index(below: number): number {
    return Math.floor(((this.number() + 1) / 2) * below) % below;
  }

  array(length: number, scale = 1): Float64Array {
    return Float64Array.from({ length }, () => Math.fround(this.number() * scale));
  }

  /** A value that nothing has written yet, `columns` of it seen from column `column` on and `behind` more after them. */
  unwritten(columns: number, column = 0, behind = 0): View {
    const id = this.#ids++;
    const value: Value = { id, label: `v${id}`, capacity: CAPACITY, columns: column + columns + behind };
    return { value, row: 0, column, columns };
  }

  /** The same with random numbers, and zeros for padding. */
  written(columns: number, column = 0, behind = 0, scale = 1): View {
    const view = this.unwritten(columns, column, behind);
    this.memory.values.set(view.value.id, this.padded(CAPACITY, view.value.columns, scale));
    return view;
  }

  stored(rows: number, columns: number): Matrix {
    const name = `stored ${this.#stored.size}`;
    this.#stored.set(name, this.padded(rows, columns));
    return { from: 'stored', name, rows, columns };
  }

  vector(size: number): Vector {
    const name = `stored ${this.#stored.size}`;
    this.#stored.set(name, this.array(size));
    return { from: 'stored', name, size };
  }

  padded(rows: number, columns: number, scale = 1): Float64Array {
    const stride = strideOf({ columns });
    return Float64Array.from({ length: rows * stride }, (_, i) =>
      i % stride < columns ? Math.fround(this.number() * scale) : 0,
    );
  }
}
