/**
 * Causal grouped-query attention, some queries at a time: their scores with every key they may see lie in scratch, never
 * those of all queries. Backward computes probabilities again from the saved log of the sums.
 */
import { exp4, log, tanh4 } from './functions';
import { gemm, gemmScratchBytes } from './gemm';
import { dot, F32, largestOf, loadUpTo, madd, storeUpTo, sumOf, zero } from './simd';

/** Queries at a time. */
const QUERIES: i32 = 48;

/** Bytes that `attention` and its backward need at `scratch` for rows of `positions` positions. */
export function attentionScratchBytes(positions: i32): i32 {
  return gemmScratchBytes() + 2 * QUERIES * scoreStride(positions);
}

/** Bytes of a row of scores. */
function scoreStride(positions: i32): i32 {
  return ((positions + 3) & ~3) * <i32>F32;
}

/** `batch` rows of `positions`; `cap` 0: no soft cap; a query sees at most `window` positions. */
export function attention(
  batch: i32,
  positions: i32,
  heads: i32,
  kvHeads: i32,
  channels: i32,
  scale: f32,
  cap: f32,
  window: i32,
  q: usize,
  qRow: usize,
  k: usize,
  kRow: usize,
  v: usize,
  vRow: usize,
  out: usize,
  outRow: usize,
  outPadding: i32,
  logSum: usize,
  logSumRow: usize,
  logSumPadding: i32,
  scratch: usize,
): void {
  const head = <usize>channels * F32;
  const group = heads / kvHeads;
  const scores = scratch + gemmScratchBytes();
  const stride = <usize>scoreStride(positions);
  for (let b = 0; b < batch; b++) {
    const row = <usize>(b * positions);
    for (let h = 0; h < heads; h++) {
      const keys = k + row * kRow + <usize>(h / group) * head;
      const values = v + row * vRow + <usize>(h / group) * head;
      for (let from = 0; from < positions; from += QUERIES) {
        const queries = min(QUERIES, positions - from);
        const first = max(0, from - window + 1);
        const seen = from + queries - first;
        const query = row + <usize>from;
        const own = q + query * qRow + <usize>h * head;
        gemm(
          queries,
          seen,
          channels,
          own,
          qRow,
          F32,
          keys + <usize>first * kRow,
          F32,
          kRow,
          scores,
          stride,
          0,
          0,
          0,
          0,
          scale,
          scratch,
        );
        for (let i = 0; i < queries; i++) {
          const sum = softmax(
            scores + <usize>i * stride,
            max(0, from + i - window + 1) - first,
            from + i + 1 - first,
            seen,
            cap,
          );
          store<f32>(logSum + (query + i) * logSumRow + <usize>h * F32, sum);
        }
        const target = out + query * outRow + <usize>h * head;
        gemm(
          queries,
          channels,
          seen,
          scores,
          stride,
          F32,
          values + <usize>first * vRow,
          vRow,
          F32,
          target,
          outRow,
          0,
          0,
          0,
          0,
          1,
          scratch,
        );
      }
    }
  }
  for (let row = 0; row < batch * positions; row++) {
    zero(out + <usize>row * outRow + <usize>heads * head, outPadding);
    zero(logSum + <usize>row * logSumRow + <usize>heads * F32, logSumPadding);
  }
}

/** Scores to probabilities, zero outside [begin, end) of `count`; gives the log of the sum of exponentials. */
function softmax(scores: usize, begin: i32, end: i32, count: i32, cap: f32): f32 {
  const low = -f32.MAX_VALUE;
  let most = f32x4.splat(low);
  for (let i = begin; i < end; i += 4) {
    const at = scores + <usize>i * F32;
    let score = loadUpTo(at, end - i, low);
    if (cap) {
      score = bend(score, cap);
      storeUpTo(at, score, end - i);
      score = loadUpTo(at, end - i, low);
    }
    most = f32x4.max(most, score);
  }
  const largest = largestOf(most);
  let total = f32x4.splat(0);
  for (let i = begin; i < end; i += 4) {
    const at = scores + <usize>i * F32;
    const left = end - i;
    storeUpTo(at, exp4(f32x4.sub(loadUpTo(at, left), f32x4.splat(largest))), left);
    total = f32x4.add(total, loadUpTo(at, left));
  }
  const sum = sumOf(total);
  const inverse = f32x4.splat(1 / sum);
  for (let i = begin; i < end; i += 4) {
    const at = scores + <usize>i * F32;
    storeUpTo(at, f32x4.mul(loadUpTo(at, end - i), inverse), end - i);
  }
  zero(scores, begin);
  zero(scores + <usize>end * F32, count - end);
  return <f32>(<f64>largest + log(<f64>sum));
}

// @inline
function bend(score: v128, cap: f32): v128 {
  return f32x4.mul(f32x4.splat(cap), tanh4(f32x4.mul(score, f32x4.splat(1 / cap))));
}

/** Gradients of q, k and v. `delta` gets sum(out * dOut) of each row and head. */
export function attentionBackward(
  batch: i32,
  positions: i32,
  heads: i32,
  kvHeads: i32,
  channels: i32,
  scale: f32,
  cap: f32,
  window: i32,
  q: usize,
  qRow: usize,
  k: usize,
  kRow: usize,
  v: usize,
  vRow: usize,
  out: usize,
  outRow: usize,
  logSum: usize,
  logSumRow: usize,
  dOut: usize,
  dOutRow: usize,
  delta: usize,
  deltaRow: usize,
  deltaPadding: i32,
  dq: usize,
  dqRow: usize,
  dqPadding: i32,
  dk: usize,
  dkRow: usize,
  dkPadding: i32,
  dv: usize,
  dvRow: usize,
  dvPadding: i32,
  scratch: usize,
): void {
  const head = <usize>channels * F32;
  const group = heads / kvHeads;
  const stride = <usize>scoreStride(positions);
  const p = scratch + gemmScratchBytes();
  const ds = p + <usize>QUERIES * stride;
  for (let row = 0; row < batch * positions; row++) {
    zero(dk + <usize>row * dkRow, kvHeads * channels + dkPadding);
    zero(dv + <usize>row * dvRow, kvHeads * channels + dvPadding);
    zero(dq + <usize>row * dqRow + <usize>heads * head, dqPadding);
    zero(delta + <usize>row * deltaRow + <usize>heads * F32, deltaPadding);
  }
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const shared = <usize>(h / group) * head;
      for (let from = 0; from < positions; from += QUERIES) {
        const queries = min(QUERIES, positions - from);
        const first = max(0, from - window + 1);
        const seen = from + queries - first;
        const query = <usize>(b * positions + from);
        const key = <usize>(b * positions + first);
        const own = q + query * qRow + <usize>h * head;
        const keys = k + key * kRow + shared;
        const gradient = dOut + query * dOutRow + <usize>h * head;
        const values = v + key * vRow + shared;
        gemm(queries, seen, channels, own, qRow, F32, keys, F32, kRow, p, stride, 0, 0, 0, 0, scale, scratch);
        gemm(queries, seen, channels, gradient, dOutRow, F32, values, F32, vRow, ds, stride, 0, 0, 0, 0, 1, scratch);
        for (let i = 0; i < queries; i++) {
          const sum = dot(out + (query + i) * outRow + <usize>h * head, gradient + <usize>i * dOutRow, channels);
          store<f32>(delta + (query + i) * deltaRow + <usize>h * F32, sum);
          const begin = max(0, from + i - window + 1) - first;
          const lse = load<f32>(logSum + (query + i) * logSumRow + <usize>h * F32);
          const row = <usize>i * stride;
          softmaxBackward(p + row, ds + row, begin, from + i + 1 - first, seen, lse, sum, scale, cap);
        }
        const dKeys = dk + key * dkRow + shared;
        const dValues = dv + key * dvRow + shared;
        const target = dq + query * dqRow + <usize>h * head;
        gemm(
          seen,
          channels,
          queries,
          p,
          F32,
          stride,
          gradient,
          dOutRow,
          F32,
          dValues,
          dvRow,
          0,
          dValues,
          dvRow,
          0,
          1,
          scratch,
        );
        gemm(seen, channels, queries, ds, F32, stride, own, qRow, F32, dKeys, dkRow, 0, dKeys, dkRow, 0, 1, scratch);
        gemm(queries, channels, seen, ds, stride, F32, keys, kRow, F32, target, dqRow, 0, 0, 0, 0, 1, scratch);
      }
    }
  }
}

/** Scores to probabilities and their gradients to those of q k^T, both zero outside [begin, end) of `count`. */
function softmaxBackward(
  scores: usize,
  gradients: usize,
  begin: i32,
  end: i32,
  count: i32,
  logSum: f32,
  delta: f32,
  scale: f32,
  cap: f32,
): void {
  for (let i = begin; i < end; i += 4) {
    const at = <usize>i * F32;
    const left = end - i;
    let score = loadUpTo(scores + at, left);
    if (cap) score = bend(score, cap);
    const p = exp4(f32x4.sub(score, f32x4.splat(logSum)));
    let ds = f32x4.mul(f32x4.mul(p, f32x4.sub(loadUpTo(gradients + at, left), f32x4.splat(delta))), f32x4.splat(scale));
    if (cap) {
      const ratio = f32x4.mul(score, f32x4.splat(1 / cap));
      ds = f32x4.mul(ds, f32x4.sub(f32x4.splat(1), f32x4.mul(ratio, ratio)));
    }
    storeUpTo(scores + at, p, left);
    storeUpTo(gradients + at, ds, left);
  }
  zero(scores, begin);
  zero(gradients, begin);
  zero(scores + <usize>end * F32, count - end);
  zero(gradients + <usize>end * F32, count - end);
}
