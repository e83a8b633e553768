/** The gradient of a trained matrix, the product of two tall arrays: `left^T right`, summed over the batch's rows. */
import { type MatrixGradient, strideOf } from '../plan/index.ts';
import type { Dispatch, KernelTraits } from './dispatch.ts';
import { gradientProductDispatch } from './gradient-product.ts';
import { forEachRow, type HostMemory, rowOf } from './host-memory.ts';

/** `matrixGradient` as one launch. */
export function matrixGradientDispatches(
  { left, right, offset, adds, rows }: MatrixGradient,
  traits: KernelTraits,
): Dispatch[] {
  return [gradientProductDispatch({ label: 'matrixGradient', left, right, offset, adds, rows }, traits)];
}

/** `matrixGradient` in double precision. */
export function matrixGradientTwin({ left, right, offset, adds, rows }: MatrixGradient, memory: HostMemory): void {
  const stride = strideOf(right);
  const target = memory.state.gradient.subarray(offset, offset + left.columns * stride);
  if (!adds && !memory.scalars.accumulates) target.fill(0);
  forEachRow(memory, rows, (row) => {
    const rightRow = rowOf(memory, right, row);
    rowOf(memory, left, row).forEach((value, p) => {
      rightRow.forEach((other, q) => (target[p * stride + q]! += value * other));
    });
  });
}
