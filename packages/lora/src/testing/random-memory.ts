/** Random values, views and batches for tests of single operations. */
import { SeededRandom } from '@oneround/fl-core';
import type { FlatState, HostMemory, StepScalars } from '../kernels/index.ts';
import { type BatchShape, type Matrix, strideOf, type Value, type Vector, type View, whole } from '../plan/index.ts';

const noState: FlatState = {
  values: new Float64Array(),
  gradient: new Float64Array(),
  firstMoment: new Float64Array(),
  secondMoment: new Float64Array(),
};

/** Makes what an operation works on, and remembers what it made. */
export class RandomMemory {
  readonly random: SeededRandom;
  readonly memory: HostMemory;
  readonly #stored = new Map<string, Float64Array>();
  #values = 0;

  /** Scored rows are at random positions, and have random labels below `vocabulary` and random weights. */
  constructor(seed: number, shape: BatchShape, vocabulary = 2) {
    this.random = new SeededRandom(seed);
    const tokens = shape.rows * shape.positions;
    const all = Array.from({ length: tokens }, (_, i) => i);
    const position = this.random
      .shuffled(all)
      .slice(0, shape.scored)
      .sort((a, b) => a - b);
    this.memory = {
      shape,
      inputs: {
        ids: Int32Array.from(all, () => this.random.nextInt(vocabulary)),
        position: Int32Array.from(position),
        label: Int32Array.from(position, () => this.random.nextInt(vocabulary)),
        weight: Float32Array.from(position, () => this.random.nextUnit()),
        rowOfPosition: Int32Array.from(all, (m) => (position.includes(m) ? position.indexOf(m) : shape.scored)),
      },
      scalars: { step: 3, learningRate: 0.01, weightDecay: 0.1, clipNorm: 1, accumulates: false },
      state: noState,
      measures: new Float64Array(3),
      stored: this.#stored,
      values: new Map(),
    };
  }

  /** A value that an operation writes. */
  empty(rows: number, columns: number): Value {
    const id = this.#values++;
    return { id, label: `value ${id}`, capacity: rows, columns };
  }

  /** A value with random content between -size and size, and zeros for padding. */
  filled(rows: number, columns: number, size = 1): Value {
    const value = this.empty(rows, columns);
    this.memory.values.set(value.id, this.#rows(rows, columns, size));
    return value;
  }

  /** Stores a matrix with random content between -1 and 1. */
  matrix(name: string, rows: number, columns: number): Matrix {
    this.#stored.set(name, this.#rows(rows, columns, 1));
    return { from: 'stored', name, rows, columns };
  }

  /** A stored vector of numbers around one. */
  vector(name: string, size: number): Vector {
    this.store(name, size, 1);
    return { from: 'stored', name, size };
  }

  /** Stores `size` numbers between `middle - 1` and `middle + 1`. */
  store(name: string, size: number, middle = 0): string {
    const numbers = Float64Array.from({ length: size }, () => middle + this.number());
    return this.put(name, numbers);
  }

  /** Stores these numbers. */
  put(name: string, values: Float64Array): string {
    this.#stored.set(name, values);
    return name;
  }

  /** Gives the trained parameters, their gradient and moments `size` numbers each; second moments are not negative. */
  train(size: number, gradientSize = 1): void {
    const numbers = (scale: number) => Float64Array.from({ length: size }, () => this.number(scale));
    this.memory.state = {
      values: numbers(1),
      gradient: numbers(gradientSize),
      firstMoment: numbers(0.1),
      secondMoment: numbers(0.1).map(Math.abs),
    };
  }

  /** Changes what the optimiser is told. */
  tell(scalars: Partial<StepScalars>): void {
    this.memory.scalars = { ...this.memory.scalars, ...scalars };
  }

  #rows(rows: number, columns: number, size: number): Float64Array {
    const stride = strideOf({ columns });
    return Float64Array.from({ length: rows * stride }, (_, i) => (i % stride < columns ? this.number(size) : 0));
  }

  /** A number between -size and size, as f32 holds it. */
  number(size = 1): number {
    return Math.fround((this.random.nextUnit() * 2 - 1) * size);
  }
}

/** Columns of a value as a view. */
export function columnsOf(value: Value, column: number, columns: number): View {
  return { ...whole(value), column, columns };
}
