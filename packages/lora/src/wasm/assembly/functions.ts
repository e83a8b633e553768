/** exp, tanh and log. The polynomials are those of Cephes (S. Moshier, expf.c and tanhf.c), good to 1e-7. */
import { madd } from './simd';

/** e^x; arguments are held within [-87.3, 88.3], where the result is a normal number. NaN stays NaN. */
// @inline
export function exp4(x: v128): v128 {
  x = f32x4.min(f32x4.max(x, f32x4.splat(-87.3)), f32x4.splat(88.3));
  // Added and taken away again, it rounds to the nearest whole number and leaves that in the low bits.
  const magic = f32x4.splat(12582912);
  const shifted = madd(x, f32x4.splat(1.44269504), magic);
  const whole = f32x4.sub(shifted, magic);
  const rest = madd(whole, f32x4.splat(2.1219444e-4), madd(whole, f32x4.splat(-0.693359375), x));
  let p = madd(f32x4.splat(1.98756915e-4), rest, f32x4.splat(1.3981999507e-3));
  p = madd(p, rest, f32x4.splat(8.3334519073e-3));
  p = madd(p, rest, f32x4.splat(4.1665795894e-2));
  p = madd(p, rest, f32x4.splat(1.6666665459e-1));
  p = madd(p, rest, f32x4.splat(0.5));
  p = f32x4.add(madd(p, f32x4.mul(rest, rest), rest), f32x4.splat(1));
  const exponent = i32x4.sub(shifted, i32x4.splat(0x4b400000 - 127));
  return f32x4.mul(p, i32x4.shl(exponent, 23));
}

/** 1 / (1 + e^-x). */
// @inline
export function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
}

/** tanh x: 1 - 2 / (e^2x + 1), and near zero, where that cancels, a polynomial. */
// @inline
export function tanh4(x: v128): v128 {
  const one = f32x4.splat(1);
  const far = f32x4.sub(one, f32x4.div(f32x4.splat(2), f32x4.add(exp4(f32x4.add(x, x)), one)));
  const z = f32x4.mul(x, x);
  let p = madd(f32x4.splat(-5.70498872745e-3), z, f32x4.splat(2.06390887954e-2));
  p = madd(p, z, f32x4.splat(-5.37397155531e-2));
  p = madd(p, z, f32x4.splat(1.33314422036e-1));
  p = madd(p, z, f32x4.splat(-3.33332819422e-1));
  const near = madd(f32x4.mul(p, z), x, x);
  return v128.bitselect(near, far, f32x4.lt(f32x4.abs(x), f32x4.splat(0.625)));
}

/** The natural logarithm of a positive, normal number: with x = 2^e m, e ln 2 + 2 artanh((m - 1) / (m + 1)). */
export function log(x: f64): f64 {
  const bits = reinterpret<i64>(x);
  let exponent = <i32>((bits >> 52) & 0x7ff) - 1023;
  let m = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  if (!(x < Infinity)) return x;
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent++;
  }
  const y = (m - 1) / (m + 1);
  const z = y * y;
  let series: f64 = 0;
  for (let i = 19; i > 0; i -= 2) series = series * z + 1 / <f64>i;
  return <f64>exponent * 0.6931471805599453 + 2 * y * series;
}
