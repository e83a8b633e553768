/** RMSNorm and LayerNorm, forwards and back, over `groups` groups of `size` channels; statistics are computed again. */
import { F32, loadUpTo, madd, storeUpTo, sumOf, zero } from './simd';

/** `out = addend + norm(x)`; channels are multiplied with `offset` (0 or 1) + gain. `bias`, `addend` and `picks` (row s is of row picks[s] of x) may be 0: none. */
export function norm(
  rows: i32,
  centres: bool,
  size: i32,
  eps: f32,
  gain: usize,
  offset: f32,
  bias: usize,
  groups: i32,
  x: usize,
  xRow: usize,
  picks: usize,
  addend: usize,
  addendRow: usize,
  out: usize,
  outRow: usize,
  padding: i32,
): void {
  const group = <usize>size * F32;
  const unit = f32x4.splat(offset);
  for (let row = 0; row < rows; row++) {
    let from = x + <usize>(picks ? load<i32>(picks + <usize>row * F32) : row) * xRow;
    let to = out + <usize>row * outRow;
    let earlier = addend ? addend + <usize>row * addendRow : 0;
    for (let g = 0; g < groups; g++, from += group, to += group) {
      const middle = centres ? mean(from, size) : 0;
      const inverse = f32x4.splat(inverseSpread(from, middle, size, eps));
      const centre = f32x4.splat(middle);
      for (let i = 0; i < size; i += 4) {
        const at = <usize>i * F32;
        const left = size - i;
        const normed = f32x4.mul(f32x4.sub(loadUpTo(from + at, left), centre), inverse);
        let y = f32x4.mul(normed, f32x4.add(loadUpTo(gain + at, left), unit));
        if (bias) y = f32x4.add(y, loadUpTo(bias + at, left));
        if (earlier) y = f32x4.add(y, loadUpTo(earlier + at, left));
        storeUpTo(to + at, y, left);
      }
      if (earlier) earlier += group;
    }
    zero(to, padding);
  }
}

/**
 * `out = addend + inverse * (g - mean(g) - n mean(g n))`, g = dy * (offset + gain), n the normed x; mean(g) for LayerNorm only.
 * With `picked` row m of dy is row picked[m], or zero where that is `scored` or more.
 */
export function normBackward(
  rows: i32,
  centres: bool,
  size: i32,
  eps: f32,
  gain: usize,
  offset: f32,
  groups: i32,
  dy: usize,
  dyRow: usize,
  picked: usize,
  scored: i32,
  x: usize,
  xRow: usize,
  addend: usize,
  addendRow: usize,
  out: usize,
  outRow: usize,
  padding: i32,
): void {
  const group = <usize>size * F32;
  for (let row = 0; row < rows; row++) {
    const source = picked ? load<i32>(picked + <usize>row * F32) : row;
    const isZero = picked !== 0 && source >= scored;
    let gradient = dy + <usize>source * dyRow;
    let from = x + <usize>row * xRow;
    let to = out + <usize>row * outRow;
    let earlier = addend ? addend + <usize>row * addendRow : 0;
    for (let g = 0; g < groups; g++, from += group, to += group, gradient += group) {
      if (isZero) copyOrZero(to, earlier, size);
      else back(size, centres, eps, gain, offset, gradient, from, earlier, to);
      if (earlier) earlier += group;
    }
    zero(to, padding);
  }
}

function back(
  size: i32,
  centres: bool,
  eps: f32,
  gain: usize,
  offset: f32,
  dy: usize,
  x: usize,
  addend: usize,
  out: usize,
): void {
  const unit = f32x4.splat(offset);
  const middle = centres ? mean(x, size) : 0;
  const spread = inverseSpread(x, middle, size, eps);
  const centre = f32x4.splat(middle);
  const inverse = f32x4.splat(spread);
  let sum = f32x4.splat(0);
  let along = f32x4.splat(0);
  for (let i = 0; i < size; i += 4) {
    const at = <usize>i * F32;
    const left = size - i;
    const g = f32x4.mul(loadUpTo(dy + at, left), f32x4.add(loadUpTo(gain + at, left), unit));
    sum = f32x4.add(sum, g);
    along = madd(g, f32x4.mul(f32x4.sub(loadUpTo(x + at, left), centre), inverse), along);
  }
  const meanG = f32x4.splat(centres ? sumOf(sum) / <f32>size : 0);
  const meanAlong = f32x4.splat(sumOf(along) / <f32>size);
  for (let i = 0; i < size; i += 4) {
    const at = <usize>i * F32;
    const left = size - i;
    const g = f32x4.mul(loadUpTo(dy + at, left), f32x4.add(loadUpTo(gain + at, left), unit));
    const normed = f32x4.mul(f32x4.sub(loadUpTo(x + at, left), centre), inverse);
    let dx = f32x4.mul(inverse, f32x4.sub(f32x4.sub(g, meanG), f32x4.mul(normed, meanAlong)));
    if (addend) dx = f32x4.add(dx, loadUpTo(addend + at, left));
    storeUpTo(out + at, dx, left);
  }
}

function copyOrZero(to: usize, from: usize, count: i32): void {
  if (from) memory.copy(to, from, <usize>count * F32);
  else zero(to, count);
}

export function mean(x: usize, size: i32): f32 {
  let sum = f32x4.splat(0);
  for (let i = 0; i < size; i += 4) sum = f32x4.add(sum, loadUpTo(x + <usize>i * F32, size - i));
  return sumOf(sum) / <f32>size;
}

/** 1 / sqrt(mean((x - middle)^2) + eps). */
export function inverseSpread(x: usize, middle: f32, size: i32, eps: f32): f32 {
  const centre = f32x4.splat(middle);
  let sum = f32x4.splat(0);
  for (let i = 0; i < size; i += 4) {
    const value = f32x4.sub(loadUpTo(x + <usize>i * F32, size - i, middle), centre);
    sum = madd(value, value, sum);
  }
  return 1 / sqrt(sumOf(sum) / <f32>size + eps);
}
