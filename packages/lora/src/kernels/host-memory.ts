/** What a twin reads and writes: every array of a plan in double precision, in the layout that the devices use. */
import {
  type BatchShape,
  type Matrix,
  rowCount,
  type Rows,
  strideOf,
  type Value,
  type Vector,
  type View,
} from '../plan/index.ts';

/** A batch as the devices get it; lengths as in `BatchShape`. */
export interface BatchInputs {
  /** `[M]`: tokens. */
  ids: Int32Array;
  /** `[S]`: the position, in `[0, M)`, of each scored row. */
  position: Int32Array;
  /** `[S]`: the token to predict. */
  label: Int32Array;
  /** `[S]`: its share of the loss; zero for padding. */
  weight: Float32Array;
  /** `[M]`: the scored row of each position, or S where there is none. */
  rowOfPosition: Int32Array;
}

/** What the optimiser is told for one step. */
export interface StepScalars {
  /** Counted from 1. */
  step: number;
  learningRate: number;
  weightDecay: number;
  clipNorm: number;
  /** Add to the gradient and the loss of the step's earlier micro-batches instead of overwriting them. */
  accumulates: boolean;
}

/** The trained parameters and what the optimiser keeps, flat, `[N]` each. */
export interface FlatState {
  values: Float64Array;
  gradient: Float64Array;
  firstMoment: Float64Array;
  secondMoment: Float64Array;
}

/** All that a twin touches. */
export interface HostMemory {
  shape: BatchShape;
  inputs: BatchInputs;
  scalars: StepScalars;
  state: FlatState;
  /** `[loss, gradient norm, whether a step was not finite]`. */
  measures: Float64Array;
  /** Frozen matrices and rotary tables, unpacked, rows padded to a multiple of four. */
  stored: ReadonlyMap<string, Float64Array>;
  values: Map<number, Float64Array>;
}

/** One row of a view; writes go through. */
export function rowOf(memory: HostMemory, { value, row, column, columns }: View, index: number): Float64Array {
  const begin = (row + index) * strideOf(value) + column;
  return valuesOf(memory, value).subarray(begin, begin + columns);
}

/** A value's array, made of zeros at its first use. */
export function valuesOf({ values }: HostMemory, value: Value): Float64Array {
  let array = values.get(value.id);
  if (!array) values.set(value.id, (array = new Float64Array(value.capacity * strideOf(value))));
  return array;
}

/** One row of a matrix. */
export function matrixRow(memory: HostMemory, matrix: Matrix, index: number): Float64Array {
  const begin = index * strideOf(matrix);
  const [array, offset] =
    matrix.from === 'stored' ? [storedArray(memory, matrix.name), 0] : [memory.state.values, matrix.offset];
  return array.subarray(offset + begin, offset + begin + matrix.columns);
}

/** A vector's values. */
export function vectorOf(memory: HostMemory, vector: Vector): Float64Array {
  if (vector.from === 'stored') return storedArray(memory, vector.name).subarray(0, vector.size);
  return memory.state.values.subarray(vector.offset, vector.offset + vector.size);
}

/** A frozen array by its name. @throws RangeError when it was not stored: a programming error */
export function storedArray({ stored }: HostMemory, name: string): Float64Array {
  const array = stored.get(name);
  if (!array) throw new RangeError(`storedArray: nothing is stored as ${name}`);
  return array;
}

/** Calls `each` with 0, 1, ... for every row of the operation at the memory's batch shape. */
export function forEachRow(memory: HostMemory, rows: Rows, each: (row: number) => void): void {
  const count = rowCount(rows, memory.shape);
  for (let row = 0; row < count; row++) each(row);
}
