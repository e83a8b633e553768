/**
 * Linear layers with frozen weights and low-rank adapters (Hu et al. 2021, arXiv 2106.09685): y = x W^T + bias + u B^T with
 * u = scale x A^T, and the gradient for x, dy W + v A with v = scale dy B. Layers that read the same x are one operation
 * (q, k and v; gate and up): their weights lie one after the other, and each adapted slice of the outputs has its own B.
 */
import type { Linear, LinearBackward, LoraPart, Matrix, View } from '../plan/index.ts';
import type { Dispatch, KernelTraits } from './dispatch.ts';
import { forEachRow, type HostMemory, matrixRow, rowOf, vectorOf } from './host-memory.ts';
import { productDispatch } from './product.ts';

/** `linear` as one product: x W^T (or x W, as W is stored), and u B^T for every part. */
export function linearDispatches(op: Linear, traits: KernelTraits): Dispatch[] {
  const { x, weight, stored, bias, lora, addend, out, rows } = op;
  const reduces = stored === 'outIn' ? 'columns' : 'rows';
  const ups = (lora?.parts ?? []).map((part) => ({
    left: columnsOf(lora!.u, part.down, part.rank),
    right: upMatrix(part),
    reduces: 'columns' as const,
    begin: part.begin,
  }));
  const terms = [{ left: x, right: weight, reduces, begin: 0 } as const, ...ups];
  return [productDispatch({ label: 'linear', terms, scales: null, bias, addend, out, rows }, false, traits)];
}

/** `linearBackward` as one product: dy W (or dy W^T), and v A. */
export function linearBackwardDispatches(op: LinearBackward, traits: KernelTraits): Dispatch[] {
  const { dy, weight, stored, lora, addend, out, rows } = op;
  const reduces = stored === 'outIn' ? 'rows' : 'columns';
  const terms = [
    { left: dy, right: weight, reduces, begin: 0 } as const,
    ...(lora ? [{ left: lora.v, right: lora.a, reduces: 'rows', begin: 0 } as const] : []),
  ];
  const product = { label: 'linearBackward', terms, scales: null, bias: null, addend, out, rows };
  return [productDispatch(product, false, traits)];
}

/** A part's B, `[out, rank]`. */
export function upMatrix({ out, rank, b }: LoraPart): Matrix {
  return { from: 'trained', offset: b, rows: out, columns: rank };
}

/** `count` columns of a view from `first` on. */
export function columnsOf(view: View, first: number, count: number): View {
  return { ...view, column: view.column + first, columns: count };
}

/** `linear` in double precision. */
export function linearTwin(op: Linear, memory: HostMemory): void {
  const { x, weight, stored, bias, lora, addend, out, rows } = op;
  forEachRow(memory, rows, (row) => {
    const y = rowOf(memory, out, row);
    const sum = new Float64Array(y.length);
    if (addend) sum.set(rowOf(memory, addend, row));
    if (bias) vectorOf(memory, bias).forEach((value, n) => (sum[n]! += value));
    const input = rowOf(memory, x, row);
    if (stored === 'outIn') timesTransposed(memory, input, weight, sum);
    else times(memory, input, weight, sum);
    if (lora) addUps(memory, rowOf(memory, lora.u, row), lora.parts, sum);
    y.set(sum);
  });
}

/** `linearBackward` in double precision. */
export function linearBackwardTwin(op: LinearBackward, memory: HostMemory): void {
  const { dy, weight, stored, lora, addend, out, rows } = op;
  forEachRow(memory, rows, (row) => {
    const dx = rowOf(memory, out, row);
    const sum = new Float64Array(dx.length);
    if (addend) sum.set(rowOf(memory, addend, row));
    const gradient = rowOf(memory, dy, row);
    if (stored === 'outIn') times(memory, gradient, weight, sum);
    else timesTransposed(memory, gradient, weight, sum);
    if (lora) times(memory, rowOf(memory, lora.v, row), lora.a, sum);
    dx.set(sum);
  });
}

/** `sum += x W` for W `[x.length, sum.length]`. */
function times(memory: HostMemory, x: Float64Array, matrix: Linear['weight'], sum: Float64Array): void {
  x.forEach((value, k) => matrixRow(memory, matrix, k).forEach((weight, n) => (sum[n]! += value * weight)));
}

/** `sum += x W^T` for W `[sum.length, x.length]`. */
function timesTransposed(memory: HostMemory, x: Float64Array, matrix: Linear['weight'], sum: Float64Array): void {
  sum.forEach((_, n) => (sum[n]! += dot(x, matrixRow(memory, matrix, n))));
}

function addUps(memory: HostMemory, u: Float64Array, parts: readonly LoraPart[], sum: Float64Array): void {
  for (const { begin, out, rank, down, b } of parts) {
    for (let n = 0; n < out; n++) {
      sum[begin + n]! += dot(
        u.subarray(down, down + rank),
        memory.state.values.subarray(b + n * rank, b + (n + 1) * rank),
      );
    }
  }
}

/** The inner product of two vectors of one length. */
export function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
