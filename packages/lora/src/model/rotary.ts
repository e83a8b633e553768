/**
 * Rotary positions (Su et al. 2021, arXiv 2104.09864) in Hugging Face's convention: channel i of the first half of a
 * head turns with channel i of the second half, by the angle t * frequency(i).
 * Shapes: B rows of T positions, H heads of C channels.
 */
import { type Rotary, rotaryFrequencies } from '../architecture/index.ts';
import { add, concat, mul, slice, sub, tensor4d, type Tensor4D } from '../tensor/index.ts';

/** Cosines and sines, each `[1, T, 1, C/2]`. */
export interface RotaryTables {
  cos: Tensor4D;
  sin: Tensor4D;
}

/** The tables for T positions from `first` on, computed on the host in double precision. The caller disposes them. */
export function rotaryTables(rotary: Rotary, first: number, positions: number): RotaryTables {
  const frequencies = rotaryFrequencies(rotary);
  const half = frequencies.length;
  const angles = Float64Array.from(
    { length: positions * half },
    (_, i) => (first + Math.floor(i / half)) * frequencies[i % half]!,
  );
  const shape: [number, number, number, number] = [1, positions, 1, half];
  return {
    cos: tensor4d(Float32Array.from(angles, Math.cos), shape),
    sin: tensor4d(Float32Array.from(angles, Math.sin), shape),
  };
}

/** Turns `x [B, T, H, C]` by its positions. */
export function rotate(x: Tensor4D, { cos, sin }: RotaryTables): Tensor4D {
  const [first, second] = halves(x);
  return concat([sub(mul(first, cos), mul(second, sin)), add(mul(second, cos), mul(first, sin))], 3);
}

/** The gradient for x: the same turn backwards. */
export function rotateBackward(dy: Tensor4D, { cos, sin }: RotaryTables): Tensor4D {
  const [first, second] = halves(dy);
  return concat([add(mul(first, cos), mul(second, sin)), sub(mul(second, cos), mul(first, sin))], 3);
}

function halves(x: Tensor4D): [Tensor4D, Tensor4D] {
  const half = x.shape[3] / 2;
  return [slice(x, [0, 0, 0, 0], [-1, -1, -1, half]), slice(x, [0, 0, 0, half], [-1, -1, -1, half])];
}
