/**
 * Causal grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245): softmax(scale q k^T + mask) v, with the scores
 * first bent by c tanh(score / c) where the model has a soft cap.
 * Shapes: B rows of T positions that see S; H query heads in K groups of G = H / K, each group sharing one key and value
 * head; C channels a head. The heads of a group are stacked along the positions, `[B*K, G*T, C]`, so that keys and values
 * are used as they are: nothing is repeated, and rank 4 is enough.
 */
import { add, matMul, mul, reshape, softmax, square, sub, sum, tanh, transpose } from '../tensor/index.ts';
import type { Tensor2D, Tensor3D, Tensor4D } from '../tensor/index.ts';

/** What scores are multiplied with, and where they are bent. */
export interface Scoring {
  scale: number;
  softCap: number | null;
}

/** What backward needs of one attention: `[B*K, G*T, S]`; the scores only where they are capped. */
export type SavedScores = { probabilities: Tensor3D; capped: Tensor3D | undefined };

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

/** `q [B*K, G*T, C]`, `k` and `v [B*K, S, C]`, `mask [T, S]` or null, to the output like q. */
export function attention(
  q: Tensor3D,
  k: Tensor3D,
  v: Tensor3D,
  mask: Tensor2D | null,
  { scale, softCap }: Scoring,
): { out: Tensor3D; saved: SavedScores } {
  const scores: Tensor3D = mul(matMul(q, k, false, true), scale);
  const capped: Tensor3D | undefined = softCap === null ? undefined : mul(tanh(mul(scores, 1 / softCap)), softCap);
  const probabilities = softmax(masked(capped ?? scores, mask));
  return { out: matMul(probabilities, v), saved: { probabilities, capped } };
}

/** The gradients for q, k and v. Those of k and v sum over their group of query heads by themselves. */
export function attentionBackward(
  dOut: Tensor3D,
  { q, k, v, probabilities, capped }: { q: Tensor3D; k: Tensor3D; v: Tensor3D } & SavedScores,
  { scale, softCap }: Scoring,
): { dq: Tensor3D; dk: Tensor3D; dv: Tensor3D } {
  const weighted = mul(matMul(dOut, v, false, true), probabilities);
  const dCapped: Tensor3D = sub(weighted, mul(probabilities, sum(weighted, 2, true)));
  const bent: Tensor3D = capped ? mul(dCapped, sub(1, square(mul(capped, 1 / softCap!)))) : dCapped;
  const dScores: Tensor3D = mul(bent, scale);
  return {
    dq: matMul(dScores, k),
    dk: matMul(dScores, q, true, false),
    dv: matMul(probabilities, dOut, true, false),
  };
}

/** `scores [B*K, G*T, S]` plus the mask of each of the G heads. */
function masked(scores: Tensor3D, mask: Tensor2D | null): Tensor3D {
  if (!mask) return scores;
  const perHead: Tensor4D = reshape(scores, [scores.shape[0], -1, ...mask.shape]);
  return reshape(add(perHead, mask), scores.shape);
}
