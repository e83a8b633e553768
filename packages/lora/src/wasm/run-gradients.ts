/** The gradients of biases, norms and tables as calls of their kernels. */
import type { StepScalars } from '../kernels/index.ts';
import {
  type BatchShape,
  type BiasGradient,
  type NormGradient,
  type PositionGradient,
  rowCount,
  strideOf,
  type TokenGradient,
} from '../plan/index.ts';
import type { Addresses } from './addresses.ts';

export function runBiasGradient(
  { dy, bias, rows }: BiasGradient,
  at: Addresses,
  shape: BatchShape,
  { accumulates }: StepScalars,
): void {
  at.kernels.columnSums(
    rowCount(rows, shape),
    bias.size,
    ...at.view(dy),
    at.gradient(bias),
    paddingOf(bias.size),
    accumulates,
  );
}

export function runNormGradient(
  op: NormGradient,
  at: Addresses,
  shape: BatchShape,
  { accumulates }: StepScalars,
): void {
  at.kernels.normGradient(
    rowCount(op.rows, shape),
    op.norm === 'layer',
    op.size,
    op.eps,
    op.groups,
    ...at.view(op.dy),
    ...at.view(op.x),
    op.picks ? at.input('position') : 0,
    ...at.view(op.statistics),
    at.padding(op.statistics),
    at.gradient(op.gain),
    op.bias ? at.gradient(op.bias) : 0,
    paddingOf(op.size),
    accumulates,
  );
}

/** A token table's gradient, or that of learned positions. */
export function runTableGradient(
  op: TokenGradient | PositionGradient,
  at: Addresses,
  { rows, positions }: BatchShape,
  { accumulates }: StepScalars,
): void {
  const { dy, table } = op;
  const isTokens = op.kind === 'tokenGradient';
  at.kernels.scatterRows(
    rows * positions,
    dy.columns,
    ...at.view(dy),
    isTokens ? at.input('ids') : 0,
    positions,
    isTokens ? op.scale : 1,
    at.gradient(table),
    4 * strideOf(table),
    table.rows,
    accumulates || (isTokens && op.adds),
  );
}

function paddingOf(size: number): number {
  return strideOf({ columns: size }) - size;
}
