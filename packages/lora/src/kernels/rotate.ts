/**
 * Rotary positions (Su et al. 2021, arXiv 2104.09864) in Hugging Face's convention: channel i of a head's first half turns
 * with channel i of its second half, by the angle t * frequency(i). Backward turns the other way. In place.
 * The table `[positions, C/2]` holds pairs (cosine, sine), computed on the host: GPUs' own are good to 1e-5 only.
 */
import type { Rotate } from '../plan/index.ts';
import { forEachRow, type HostMemory, rowOf, storedArray } from './host-memory.ts';

/** `rotate` in double precision. */
export function rotateTwin({ x, heads, headDim, table, direction }: Rotate, memory: HostMemory): void {
  const turns = storedArray(memory, table);
  const half = headDim / 2;
  forEachRow(memory, { of: 'positions' }, (row) => {
    const t = row % memory.shape.positions;
    const y = rowOf(memory, x, row);
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < half; i++) {
        const [cos, sin] = [turns[2 * (t * half + i)]!, direction * turns[2 * (t * half + i) + 1]!];
        const first = head * headDim + i;
        const [a, b] = [y[first]!, y[first + half]!];
        y[first] = a * cos - b * sin;
        y[first + half] = b * cos + a * sin;
      }
    }
  });
}
