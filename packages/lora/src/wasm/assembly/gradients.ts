/** Gradients of biases, norms and tables: sums over a batch's rows, one row after the other. */
import { inverseSpread, mean } from './norm';
import { F32, loadUpTo, madd, storeUpTo, zero } from './simd';

/** `to` gets the sums of the columns, added or, with `padding` zeros behind them, overwritten. */
export function columnSums(
  rows: i32,
  columns: i32,
  from: usize,
  fromRow: usize,
  to: usize,
  padding: i32,
  adds: bool,
): void {
  if (!adds) zero(to, columns + padding);
  for (let row = 0; row < rows; row++, from += fromRow) addScaled(to, from, columns, 1);
}

/**
 * The gradients of a norm's gain and bias (0: none), and each group's mean and inverse spread. `picks` may be 0: row s of
 * dy is of row s of x, and not of row picks[s].
 */
export function normGradient(
  rows: i32,
  centres: bool,
  size: i32,
  eps: f32,
  groups: i32,
  dy: usize,
  dyRow: usize,
  x: usize,
  xRow: usize,
  picks: usize,
  statistics: usize,
  statisticsRow: usize,
  statisticsPadding: i32,
  gain: usize,
  bias: usize,
  padding: i32,
  adds: bool,
): void {
  const group = <usize>size * F32;
  if (!adds) zero(gain, size + padding);
  if (!adds && bias) zero(bias, size + padding);
  for (let row = 0; row < rows; row++) {
    let from = x + <usize>(picks ? load<i32>(picks + <usize>row * F32) : row) * xRow;
    let gradient = dy + <usize>row * dyRow;
    let statistic = statistics + <usize>row * statisticsRow;
    for (let g = 0; g < groups; g++, from += group, gradient += group, statistic += 2 * F32) {
      const middle: f32 = centres ? mean(from, size) : 0;
      const inverse = inverseSpread(from, middle, size, eps);
      store<f32>(statistic, middle);
      store<f32>(statistic, inverse, 4);
      addNormed(gain, gradient, from, size, middle, inverse);
      if (bias) addScaled(bias, gradient, size, 1);
    }
    zero(statistic, statisticsPadding);
  }
}

/** Row `ids[m]` of `to` gets `scale` times row m; row m % positions where `ids` is 0. Added, or all `toRows` overwritten. */
export function scatterRows(
  rows: i32,
  columns: i32,
  from: usize,
  fromRow: usize,
  ids: usize,
  positions: i32,
  scale: f32,
  to: usize,
  toRow: usize,
  toRows: i32,
  adds: bool,
): void {
  if (!adds) memory.fill(to, 0, <usize>toRows * toRow);
  for (let row = 0; row < rows; row++, from += fromRow) {
    const target = ids ? load<i32>(ids + <usize>row * F32) : row % positions;
    addScaled(to + <usize>target * toRow, from, columns, scale);
  }
}

/** `to += scale * from`. */
function addScaled(to: usize, from: usize, columns: i32, scale: f32): void {
  const factor = f32x4.splat(scale);
  for (let i = 0; i < columns; i += 4, to += 16, from += 16) {
    const left = columns - i;
    storeUpTo(to, madd(loadUpTo(from, left), factor, loadUpTo(to, left)), left);
  }
}

/** `to += dy * (x - middle) * inverse`. */
function addNormed(to: usize, dy: usize, x: usize, size: i32, middle: f32, inverse: f32): void {
  const centre = f32x4.splat(middle);
  const factor = f32x4.splat(inverse);
  for (let i = 0; i < size; i += 4) {
    const at = <usize>i * F32;
    const left = size - i;
    const normed = f32x4.mul(f32x4.sub(loadUpTo(x + at, left), centre), factor);
    storeUpTo(to + at, madd(loadUpTo(dy + at, left), normed, loadUpTo(to + at, left)), left);
  }
}
