/** Matrix products of a plan as calls of the one product kernel, which takes any orientation. */
import type { StepScalars } from '../kernels/index.ts';
import {
  type BatchShape,
  type Linear,
  type LinearBackward,
  type LoraDown,
  type LoraDownBackward,
  type LoraGradient,
  type MatrixGradient,
  rowCount,
  strideOf,
} from '../plan/index.ts';
import type { Addresses, Rowed } from './addresses.ts';

/** Bytes of an f32. */
const F32 = 4;

/** A factor: where it begins, and the bytes from one row and one column to the next. */
type Factor = [address: number, row: number, column: number];

interface Product {
  rows: number;
  columns: number;
  /** Length of the sums. */
  inner: number;
  left: Factor;
  right: Factor;
  out: Rowed;
  padding?: number;
  /** Added to the product; may be `out` itself. */
  addend?: Rowed | null;
  bias?: number;
  scale?: number;
}

function multiply(at: Addresses, product: Product): void {
  const { rows, columns, inner, left, right, out, padding = 0, addend, bias = 0, scale = 1 } = product;
  at.kernels.gemm(
    rows,
    columns,
    inner,
    ...left,
    ...right,
    ...out,
    padding,
    ...(addend ?? [0, 0]),
    bias,
    scale,
    at.scratch,
  );
}

function straight([address, row]: Rowed): Factor {
  return [address, row, F32];
}

function transposed([address, row]: Rowed): Factor {
  return [address, F32, row];
}

/** From column `count` on. */
function skip([address, row]: Rowed, count: number): Rowed {
  return [address + F32 * count, row];
}

export function runLinear(op: Linear, at: Addresses, shape: BatchShape): void {
  const { x, weight, stored, bias, lora, addend, out } = op;
  const rows = rowCount(op.rows, shape);
  multiply(at, {
    rows,
    columns: out.columns,
    inner: x.columns,
    left: straight(at.view(x)),
    right: stored === 'outIn' ? transposed(at.matrix(weight)) : straight(at.matrix(weight)),
    out: at.view(out),
    padding: at.padding(out),
    addend: addend && at.view(addend),
    bias: bias ? at.vector(bias) : 0,
  });
  for (const { begin, out: columns, rank, down, b } of lora?.parts ?? []) {
    const target = skip(at.view(out), begin);
    multiply(at, {
      rows,
      columns,
      inner: rank,
      left: straight(skip(at.view(lora!.u), down)),
      right: transposed([at.state('values') + F32 * b, F32 * rank]),
      out: target,
      addend: target,
    });
  }
}

export function runLinearBackward(op: LinearBackward, at: Addresses, shape: BatchShape): void {
  const { dy, weight, stored, lora, addend, out } = op;
  const rows = rowCount(op.rows, shape);
  multiply(at, {
    rows,
    columns: out.columns,
    inner: dy.columns,
    left: straight(at.view(dy)),
    right: stored === 'outIn' ? straight(at.matrix(weight)) : transposed(at.matrix(weight)),
    out: at.view(out),
    padding: at.padding(out),
    addend: addend && at.view(addend),
  });
  if (!lora) return;
  multiply(at, {
    rows,
    columns: out.columns,
    inner: lora.a.rows,
    left: straight(at.view(lora.v)),
    right: straight(at.matrix(lora.a)),
    out: at.view(out),
    addend: at.view(out),
  });
}

export function runLoraDown({ x, a, parts, u, rows }: LoraDown, at: Addresses, shape: BatchShape): void {
  const [address, row] = at.matrix(a);
  for (const { rank, down, scale } of parts) {
    multiply(at, {
      rows: rowCount(rows, shape),
      columns: rank,
      inner: x.columns,
      left: straight(at.view(x)),
      right: transposed([address + down * row, row]),
      out: skip(at.view(u), down),
      scale,
    });
  }
}

export function runLoraDownBackward({ dy, parts, v, rows }: LoraDownBackward, at: Addresses, shape: BatchShape): void {
  for (const { begin, out, rank, down, scale, b } of parts) {
    multiply(at, {
      rows: rowCount(rows, shape),
      columns: rank,
      inner: out,
      left: straight(skip(at.view(dy), begin)),
      right: straight([at.state('values') + F32 * b, F32 * rank]),
      out: skip(at.view(v), down),
      scale,
    });
  }
}

export function runLoraGradient(
  { dy, u, parts, rows }: LoraGradient,
  at: Addresses,
  shape: BatchShape,
  { accumulates }: StepScalars,
): void {
  for (const { begin, out, rank, down, b } of parts) {
    const target: Rowed = [at.state('gradient') + F32 * b, F32 * rank];
    multiply(at, {
      rows: out,
      columns: rank,
      inner: rowCount(rows, shape),
      left: transposed(skip(at.view(dy), begin)),
      right: straight(skip(at.view(u), down)),
      out: target,
      addend: accumulates ? target : null,
    });
  }
}

export function runMatrixGradient(
  { left, right, offset, adds, rows }: MatrixGradient,
  at: Addresses,
  shape: BatchShape,
  { accumulates }: StepScalars,
): void {
  const isAdded = adds || accumulates;
  const stride = strideOf(right);
  const target: Rowed = [at.state('gradient') + F32 * offset, F32 * stride];
  multiply(at, {
    rows: left.columns,
    columns: right.columns,
    inner: rowCount(rows, shape),
    left: transposed(at.view(left)),
    right: straight(at.view(right)),
    out: target,
    padding: isAdded ? 0 : stride - right.columns,
    addend: isAdded ? target : null,
  });
}
