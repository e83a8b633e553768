/**
 * The narrow products of low-rank adapters (Hu et al. 2021, arXiv 2106.09685), R columns wide: u = scale x A^T on the way
 * up, v = scale dy B on the way down, and the gradient of B, dy^T u. They are apart from the wide product because a GPU
 * must split their long sums, and a fused kernel would compute them again for every column tile.
 */
import type { LoraDown, LoraDownBackward, LoraGradient, LoraPart } from '../plan/index.ts';
import type { Dispatch, KernelTraits } from './dispatch.ts';
import { gradientProductDispatch } from './gradient-product.ts';
import { forEachRow, type HostMemory, matrixRow, rowOf } from './host-memory.ts';
import { columnsOf, dot, upMatrix } from './linear.ts';
import { productDispatch } from './product.ts';

/** `loraDown` as one narrow product. */
export function loraDownDispatches({ x, a, parts, u, rows }: LoraDown, traits: KernelTraits): Dispatch[] {
  const terms = [{ left: x, right: a, reduces: 'columns', begin: 0 } as const];
  const product = { label: 'loraDown', terms, scales: scalesOf(parts), bias: null, addend: null, out: u, rows };
  return [productDispatch(product, true, traits)];
}

/** `loraDownBackward` as one narrow product, whose terms add to the columns of their parts. */
export function loraDownBackwardDispatches(op: LoraDownBackward, traits: KernelTraits): Dispatch[] {
  const { dy, parts, v, rows } = op;
  const terms = parts.map((part) => ({
    left: columnsOf(dy, part.begin, part.out),
    right: upMatrix(part),
    reduces: 'rows' as const,
    begin: part.down,
  }));
  const product = { label: 'loraDownBackward', terms, scales: scalesOf(parts), bias: null, addend: null, out: v, rows };
  return [productDispatch(product, true, traits)];
}

/** `loraGradient`: a launch for every part's B. */
export function loraGradientDispatches({ dy, u, parts, rows }: LoraGradient, traits: KernelTraits): Dispatch[] {
  return parts.map(({ begin, out, rank, down, b }) =>
    gradientProductDispatch(
      {
        label: 'loraGradient',
        left: columnsOf(dy, begin, out),
        right: columnsOf(u, down, rank),
        offset: b,
        adds: false,
        rows,
      },
      traits,
    ),
  );
}

function scalesOf(parts: readonly LoraPart[]): { begin: number; scale: number }[] {
  return parts.map(({ down, scale }) => ({ begin: down, scale }));
}

/** `loraDown` in double precision. */
export function loraDownTwin({ x, a, parts, u, rows }: LoraDown, memory: HostMemory): void {
  forEachRow(memory, rows, (row) => {
    const input = rowOf(memory, x, row);
    const down = rowOf(memory, u, row);
    for (const { down: first, rank, scale } of parts) {
      for (let r = first; r < first + rank; r++) down[r] = scale * dot(input, matrixRow(memory, a, r));
    }
  });
}

/** `loraDownBackward` in double precision. */
export function loraDownBackwardTwin({ dy, parts, v, rows }: LoraDownBackward, memory: HostMemory): void {
  const { values } = memory.state;
  forEachRow(memory, rows, (row) => {
    const gradient = rowOf(memory, dy, row);
    const down = rowOf(memory, v, row);
    for (const { begin, out, rank, down: first, scale, b } of parts) {
      for (let r = 0; r < rank; r++) {
        let sum = 0;
        for (let n = 0; n < out; n++) sum += gradient[begin + n]! * values[b + n * rank + r]!;
        down[first + r] = scale * sum;
      }
    }
  });
}

/** `loraGradient` in double precision. */
export function loraGradientTwin({ dy, u, parts, rows }: LoraGradient, memory: HostMemory): void {
  const { gradient } = memory.state;
  for (const { begin, out, rank, down, b } of parts) {
    if (!memory.scalars.accumulates) gradient.fill(0, b, b + out * rank);
    forEachRow(memory, rows, (row) => {
      const dRow = rowOf(memory, dy, row);
      const uRow = rowOf(memory, u, row);
      for (let n = 0; n < out; n++) {
        for (let r = 0; r < rank; r++) gradient[b + n * rank + r]! += dRow[begin + n]! * uRow[down + r]!;
      }
    });
  }
}
