/**
 * Causal grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245): softmax(q k^T / sqrt(C) + mask) v.
 * Shapes: B rows of T positions; H query heads in K groups of G = H / K, each group sharing one key and value head; C
 * channels a head. The heads of a group are stacked along the positions, `[B*K, G*T, C]`, so that keys and values are
 * used as they are: nothing is repeated, and rank 4 is enough.
 */
import { add, matMul, mul, reshape, softmax, sub, sum, tensor2d, transpose } from '../tensor/index.ts';
import type { Tensor2D, Tensor3D, Tensor4D } from '../tensor/index.ts';

/** Added to the scores of later positions. Finite, so that no row can become NaN. */
const BLOCKED = -1e9;

/** The causal mask `[T, T]`: zero up to the own position, very negative after it. The caller disposes it. */
export function causalMask(positions: number): Tensor2D {
  const mask = new Float32Array(positions * positions);
  for (let t = 0; t < positions; t++) mask.fill(BLOCKED, t * positions + t + 1, (t + 1) * positions);
  return tensor2d(mask, [positions, positions]);
}

/** `[B, T, N*G, C]` to `[B*N, G*T, C]`; with G = 1 this is the layout of keys and values. */
export function stackHeads(x: Tensor4D, groupSize: number): Tensor3D {
  const [rows, positions, heads, channels] = x.shape;
  return reshape(transpose(x, [0, 2, 1, 3]), [(rows * heads) / groupSize, groupSize * positions, channels]);
}

/** The inverse of `stackHeads`, for `rows` = B and `positions` = T. */
export function unstackHeads(x: Tensor3D, rows: number, positions: number): Tensor4D {
  const channels = x.shape[2];
  const heads = x.size / (rows * positions * channels);
  return transpose(reshape(x, [rows, heads, positions, channels]), [0, 2, 1, 3]);
}

/** `q [B*K, G*T, C]`, `k` and `v [B*K, T, C]` to the output like q, and the probabilities `[B*K, G*T, T]` for backward. */
export function attention(
  q: Tensor3D,
  k: Tensor3D,
  v: Tensor3D,
  mask: Tensor2D,
): { out: Tensor3D; probabilities: Tensor3D } {
  const positions = k.shape[1];
  const scores: Tensor3D = mul(matMul(q, k, false, true), 1 / Math.sqrt(q.shape[2]));
  const perHead: Tensor4D = reshape(scores, [k.shape[0], -1, positions, positions]);
  const probabilities: Tensor3D = reshape(softmax(add(perHead, mask)), scores.shape);
  return { out: matMul(probabilities, v), probabilities };
}

/** The gradients for q, k and v. Those of k and v sum over their group of query heads by themselves. */
export function attentionBackward(
  dOut: Tensor3D,
  { q, k, v, probabilities }: { q: Tensor3D; k: Tensor3D; v: Tensor3D; probabilities: Tensor3D },
): { dq: Tensor3D; dk: Tensor3D; dv: Tensor3D } {
  const weighted = mul(matMul(dOut, v, false, true), probabilities);
  const dScores: Tensor3D = mul(sub(weighted, mul(probabilities, sum(weighted, 2, true))), 1 / Math.sqrt(q.shape[2]));
  return {
    dq: matMul(dScores, k),
    dk: matMul(dScores, q, true, false),
    dv: matMul(probabilities, dOut, true, false),
  };
}
