/** Cross-entropy with its gradient in place, the sum of losses, and AdamW. */
import { exp4, log, tanh4 } from './functions';
import { F32, largestOf, loadUpTo, storeUpTo, sumOf, zero } from './simd';

/** Byte of the measure that is 1 once a step was not finite: no update changes anything then. */
const HALTED: usize = 8;

/** Rows of logits become (softmax - label) * weight. `cap` 0: no soft cap. */
export function crossEntropy(
  rows: i32,
  vocabulary: i32,
  cap: f32,
  logits: usize,
  logitsRow: usize,
  padding: i32,
  labels: usize,
  weights: usize,
  losses: usize,
  lossesRow: usize,
  lossesPadding: i32,
): void {
  for (let row = 0; row < rows; row++, logits += logitsRow, losses += lossesRow, labels += F32, weights += F32) {
    const largest = bendRow(logits, vocabulary, cap);
    const most = f32x4.splat(largest);
    let total: f64 = 0;
    for (let begin = 0; begin < vocabulary; begin += 256) {
      const end = min(vocabulary, begin + 256);
      let sum = f32x4.splat(0);
      for (let i = begin; i < end; i += 4) {
        sum = f32x4.add(sum, exp4(f32x4.sub(loadUpTo(logits + <usize>i * F32, end - i, -f32.MAX_VALUE), most)));
      }
      total += <f64>sumOf(sum);
    }
    const label = <usize>load<i32>(labels) * F32;
    const weight = load<f32>(weights);
    const own = load<f32>(logits + label);
    const logSum = <f64>largest + log(total);
    store<f32>(losses, <f32>(<f64>weight * (logSum - <f64>own)));
    zero(losses + F32, lossesPadding);
    const share = f32x4.splat(weight / <f32>total);
    const inverseCap = f32x4.splat(cap ? 1 / cap : 0);
    for (let i = 0; i < vocabulary; i += 4) {
      const at = logits + <usize>i * F32;
      const left = vocabulary - i;
      const bent = loadUpTo(at, left);
      let gradient = f32x4.mul(exp4(f32x4.sub(bent, most)), share);
      const ratio = f32x4.mul(bent, inverseCap);
      gradient = f32x4.mul(gradient, f32x4.sub(f32x4.splat(1), f32x4.mul(ratio, ratio)));
      storeUpTo(at, gradient, left);
    }
    const slope: f32 = cap ? <f32>1 - (own / cap) * (own / cap) : 1;
    const p = <f32>(<f64>f32x4.extract_lane(exp4(f32x4.splat(own - largest)), 0) / total);
    store<f32>(logits + label, weight * (p - 1) * slope);
    zero(logits + <usize>vocabulary * F32, padding);
  }
}

/** Bends a row of logits in place and gives the largest. */
function bendRow(logits: usize, vocabulary: i32, cap: f32): f32 {
  let most = f32x4.splat(-f32.MAX_VALUE);
  for (let i = 0; i < vocabulary; i += 4) {
    const at = logits + <usize>i * F32;
    const left = vocabulary - i;
    if (cap) {
      const ratio = f32x4.mul(loadUpTo(at, left), f32x4.splat(1 / cap));
      storeUpTo(at, f32x4.mul(tanh4(ratio), f32x4.splat(cap)), left);
    }
    most = f32x4.max(most, loadUpTo(at, left, -f32.MAX_VALUE));
  }
  return largestOf(most);
}

/** `measures[0]` = or += the sum of a column. */
export function sumLosses(rows: i32, losses: usize, lossesRow: usize, accumulates: bool, measures: usize): void {
  let sum: f64 = accumulates ? <f64>load<f32>(measures) : 0;
  for (let row = 0; row < rows; row++, losses += lossesRow) sum += <f64>load<f32>(losses);
  store<f32>(measures, <f32>sum);
}

/** AdamW on `count` values, the gradient clipped by its norm, which goes to `measures[1]`. A loss or norm that is not finite halts training: see HALTED. */
export function update(
  count: i32,
  values: usize,
  gradient: usize,
  first: usize,
  second: usize,
  learningRate: f32,
  decay: f32,
  clipNorm: f32,
  beta1: f32,
  rest1: f32,
  beta2: f32,
  rest2: f32,
  eps: f32,
  firstScale: f32,
  secondScale: f32,
  measures: usize,
): void {
  const length = <f32>sqrt(squares(gradient, count));
  store<f32>(measures, length, 4);
  if (!isFinite(length) || !isFinite(load<f32>(measures))) store<f32>(measures, 1, HALTED);
  if (load<f32>(measures, HALTED) > 0) return;
  const clip = f32x4.splat(min(<f32>1, clipNorm / (length + <f32>1e-6)));
  const rate = f32x4.splat(learningRate * firstScale);
  for (let i = 0; i < count; i += 4) {
    const at = <usize>i * F32;
    const left = count - i;
    const g = f32x4.mul(loadUpTo(gradient + at, left), clip);
    const m = f32x4.add(f32x4.mul(loadUpTo(first + at, left), f32x4.splat(beta1)), f32x4.mul(g, f32x4.splat(rest1)));
    const v = f32x4.add(
      f32x4.mul(loadUpTo(second + at, left), f32x4.splat(beta2)),
      f32x4.mul(f32x4.mul(g, g), f32x4.splat(rest2)),
    );
    const spread = f32x4.add(f32x4.sqrt(f32x4.mul(v, f32x4.splat(secondScale))), f32x4.splat(eps));
    const move = f32x4.mul(rate, f32x4.div(m, spread));
    storeUpTo(first + at, m, left);
    storeUpTo(second + at, v, left);
    storeUpTo(values + at, f32x4.sub(f32x4.mul(loadUpTo(values + at, left), f32x4.splat(decay)), move), left);
  }
}

/** The sum of squares, in double precision. */
function squares(x: usize, count: i32): f64 {
  let sum = f64x2.splat(0);
  for (let i = 0; i < count; i += 4, x += 16) {
    const values = loadUpTo(x, count - i);
    const low = f64x2.promote_low_f32x4(values);
    const high = f64x2.promote_low_f32x4(v128.shuffle<f32>(values, values, 2, 3, 2, 3));
    sum = f64x2.add(sum, f64x2.add(f64x2.mul(low, low), f64x2.mul(high, high)));
  }
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}
