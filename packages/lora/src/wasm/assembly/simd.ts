/**
 * Four f32 at a time. The relaxed build fuses multiplication and addition; apart from that both builds are one source.
 * All strides are in bytes; rows may begin anywhere and end after any number of columns.
 */

/** Bytes of an f32. */
export const F32: usize = 4;

/** a * b + c. */
// @inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** The next four values, or the `left` that are left and then `fill`. */
// @inline
export function loadUpTo(at: usize, left: i32, fill: f32 = 0): v128 {
  if (left >= 4) return v128.load(at);
  let values = f32x4.replace_lane(f32x4.splat(fill), 0, load<f32>(at));
  if (left > 1) values = f32x4.replace_lane(values, 1, load<f32>(at, 4));
  if (left > 2) values = f32x4.replace_lane(values, 2, load<f32>(at, 8));
  return values;
}

/** Stores four values, or the first `left`. */
// @inline
export function storeUpTo(at: usize, values: v128, left: i32): void {
  if (left >= 4) {
    v128.store(at, values);
    return;
  }
  store<f32>(at, f32x4.extract_lane(values, 0));
  if (left > 1) store<f32>(at, f32x4.extract_lane(values, 1), 4);
  if (left > 2) store<f32>(at, f32x4.extract_lane(values, 2), 8);
}

/** Writes `count` zeros: a row's padding, an accumulator. */
// @inline
export function zero(at: usize, count: i32): void {
  memory.fill(at, 0, <usize>count * F32);
}

/** The sum of the lanes. */
// @inline
export function sumOf(values: v128): f32 {
  return (
    f32x4.extract_lane(values, 0) +
    f32x4.extract_lane(values, 1) +
    (f32x4.extract_lane(values, 2) + f32x4.extract_lane(values, 3))
  );
}

/** The largest lane; NaN if one is. */
// @inline
export function largestOf(values: v128): f32 {
  return max(
    max(f32x4.extract_lane(values, 0), f32x4.extract_lane(values, 1)),
    max(f32x4.extract_lane(values, 2), f32x4.extract_lane(values, 3)),
  );
}

/** The inner product of two arrays of `count` values. */
export function dot(a: usize, b: usize, count: i32): f32 {
  let sum = f32x4.splat(0);
  for (let i = 0; i < count; i += 4, a += 16, b += 16) {
    sum = madd(loadUpTo(a, count - i), loadUpTo(b, count - i), sum);
  }
  return sumOf(sum);
}
