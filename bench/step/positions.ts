/** Rotary tables and the causal mask for the contenders that bring none; made on the host, in f64. */
import { ROPE_BASE, type StepShape } from './shape.ts';

/** RoPE's cosines and sines (Su et al. 2021, arXiv 2104.09864), `[sequence, half]`, `half` being half a head's channels. */
export function rotaryTables({ d, heads, sequence }: StepShape): {
  cos: Float32Array;
  sin: Float32Array;
  half: number;
} {
  const half = d / heads / 2;
  const angle = (i: number) => Math.floor(i / half) * ROPE_BASE ** (-(i % half) / half);
  const length = sequence * half;
  return {
    cos: Float32Array.from({ length }, (_, i) => Math.cos(angle(i))),
    sin: Float32Array.from({ length }, (_, i) => Math.sin(angle(i))),
    half,
  };
}

/** Added to scores `[sequence, sequence]`: very negative where a query must not look, zero elsewhere. */
export function causalMask({ sequence }: StepShape): Float32Array {
  return Float32Array.from({ length: sequence ** 2 }, (_, i) => (i % sequence > Math.floor(i / sequence) ? -1e9 : 0));
}
