/**
 * The narrow products of low-rank adapters (Hu et al. 2021, arXiv 2106.09685), R columns wide: u = scale x A^T on the way
 * up, v = scale dy B on the way down, and the gradient of B, dy^T u. They are apart from the wide product because a GPU
 * must split their long sums, and a fused kernel would compute them again for every column tile.
 */
import type { LoraDown, LoraDownBackward, LoraGradient } from '../plan/index.ts';
import { forEachRow, type HostMemory, matrixRow, rowOf } from './host-memory.ts';
import { dot } from './linear.ts';

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
