/**
 * The arrays that operations work on. Every array is row-major f32 and every row is padded with zeros to a multiple of four
 * columns, so that all of them can be read four values at a time whatever the model's sizes. Shape letters as in `operations.ts`.
 */

/** A batch's sizes: all that differs from one step to the next. */
export interface BatchShape {
  /** B. */
  rows: number;
  /** T. */
  positions: number;
  /** S, padding included. */
  scored: number;
}

/** Which rows an operation works on: all M positions, or at most `most` scored ones from number `from` on. */
export type Rows = { of: 'positions' } | { of: 'scored'; from: number; most: number };

/** An array of activations or gradients, `[M or S, columns]`. */
export interface Value {
  /** Unique in its plan. */
  id: number;
  /** For people: as in `layers.0.qkv`. */
  label: string;
  /** Rows at the largest batch the plan is for. */
  capacity: number;
  columns: number;
}

/** Part of a value: `columns` columns from `column` on, of the rows from `row` on. */
export interface View {
  value: Value;
  row: number;
  column: number;
  columns: number;
}

/** An f32 matrix among the trained parameters, rows padded as a value's; its gradient lies at the same offset. */
export interface TrainedMatrix {
  from: 'trained';
  /** A multiple of four. */
  offset: number;
  rows: number;
  columns: number;
}

/** A vector among the trained parameters, padded likewise. */
export interface TrainedVector {
  from: 'trained';
  offset: number;
  size: number;
}

/** A matrix `[rows, columns]` that is read: frozen and stored (perhaps packed), or trained. */
export type Matrix = { from: 'stored'; name: string; rows: number; columns: number } | TrainedMatrix;

/** A frozen or trained vector of f32. */
export type Vector = { from: 'stored'; name: string; size: number } | TrainedVector;

/** Floats from one row of a value to the next. */
export function strideOf({ columns }: Pick<Value, 'columns'>): number {
  return Math.ceil(columns / 4) * 4;
}

/** How many rows an operation has at a batch shape. */
export function rowCount(rows: Rows, shape: BatchShape): number {
  if (rows.of === 'positions') return shape.rows * shape.positions;
  return Math.max(0, Math.min(rows.most, shape.scored - rows.from));
}

/** A whole value as a view. */
export function whole(value: Value): View {
  return { value, row: 0, column: 0, columns: value.columns };
}
