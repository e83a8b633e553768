/** Operations that go row by row: embedding, rotary positions and activations. */
import { sigmoid4 } from './functions';
import { F32, loadUpTo, madd, storeUpTo, zero } from './simd';

/**
 * `out[m] = table[ids[m] - firstToken] * scale + place[m % positions]`, where the table has such a row; `place` may be 0: none.
 */
export function embed(
  rows: i32,
  positions: i32,
  columns: i32,
  table: usize,
  tableRow: usize,
  tableRows: u32,
  firstToken: u32,
  ids: usize,
  scale: f32,
  place: usize,
  placeRow: usize,
  out: usize,
  outRow: usize,
  padding: i32,
): void {
  const factor = f32x4.splat(scale);
  for (let row = 0; row < rows; row++, out += outRow) {
    // A token before the first wraps around.
    const index = load<u32>(ids + <usize>row * F32) - firstToken;
    if (index >= tableRows) continue;
    const token = table + <usize>index * tableRow;
    const learned = place ? place + <usize>(row % positions) * placeRow : 0;
    for (let i = 0; i < columns; i += 4) {
      const at = <usize>i * F32;
      let x = f32x4.mul(loadUpTo(token + at, columns - i), factor);
      if (learned) x = f32x4.add(x, loadUpTo(learned + at, columns - i));
      storeUpTo(out + at, x, columns - i);
    }
    zero(out + <usize>columns * F32, padding);
  }
}

/** Turns `heads` heads of `2 * half` channels in place. `table` `[positions, half]` has pairs (cos, sin); `direction` 1 or -1. */
export function rotate(
  rows: i32,
  positions: i32,
  x: usize,
  xRow: usize,
  heads: i32,
  half: i32,
  table: usize,
  direction: f32,
): void {
  const half4 = half & ~3;
  const middle = <usize>half * F32;
  for (let row = 0; row < rows; row++, x += xRow) {
    const turns = table + <usize>((row % positions) * half) * 2 * F32;
    for (let head = 0; head < heads; head++) {
      const first = x + <usize>(head * half) * 2 * F32;
      for (let i = 0; i < half4; i += 4) {
        const at = first + <usize>i * F32;
        const t0 = v128.load(turns + <usize>i * 8);
        const t1 = v128.load(turns + <usize>i * 8, 16);
        const cos = v128.shuffle<f32>(t0, t1, 0, 2, 4, 6);
        const sin = f32x4.mul(v128.shuffle<f32>(t0, t1, 1, 3, 5, 7), f32x4.splat(direction));
        const a = v128.load(at);
        const b = v128.load(at + middle);
        v128.store(at, f32x4.sub(f32x4.mul(a, cos), f32x4.mul(b, sin)));
        v128.store(at + middle, madd(b, cos, f32x4.mul(a, sin)));
      }
      for (let i = half4; i < half; i++) {
        const at = first + <usize>i * F32;
        const cos = load<f32>(turns + <usize>i * 8);
        const sin = direction * load<f32>(turns + <usize>i * 8, 4);
        const a = load<f32>(at);
        const b = load<f32>(at + middle);
        store<f32>(at, a * cos - b * sin);
        store<f32>(at + middle, b * cos + a * sin);
      }
    }
  }
}

/** `out = act(gate) * up`, or act(up) where `gate` is 0; act(x) = x sigmoid(linear x + cubic x^3). */
export function activate(
  rows: i32,
  columns: i32,
  linear: f32,
  cubic: f32,
  gate: usize,
  gateRow: usize,
  up: usize,
  upRow: usize,
  out: usize,
  outRow: usize,
  padding: i32,
): void {
  for (let row = 0; row < rows; row++, gate += gate ? gateRow : 0, up += upRow, out += outRow) {
    for (let i = 0; i < columns; i += 4) {
      const at = <usize>i * F32;
      const left = columns - i;
      const value = loadUpTo(up + at, left);
      const x = gate ? loadUpTo(gate + at, left) : value;
      const y = f32x4.mul(x, sigmoid4(exponent(x, linear, cubic)));
      storeUpTo(out + at, gate ? f32x4.mul(y, value) : y, left);
    }
    zero(out + <usize>columns * F32, padding);
  }
}

/** Gradients for gate (where it is not 0) and up. */
export function activateBackward(
  rows: i32,
  columns: i32,
  linear: f32,
  cubic: f32,
  dOut: usize,
  dOutRow: usize,
  gate: usize,
  gateRow: usize,
  up: usize,
  upRow: usize,
  dGate: usize,
  dGateRow: usize,
  dGatePadding: i32,
  dUp: usize,
  dUpRow: usize,
  dUpPadding: i32,
): void {
  const one = f32x4.splat(1);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < columns; i += 4) {
      const at = <usize>i * F32;
      const left = columns - i;
      const dy = loadUpTo(dOut + at, left);
      const value = loadUpTo(up + at, left);
      const x = gate ? loadUpTo(gate + at, left) : value;
      const s = sigmoid4(exponent(x, linear, cubic));
      const y = f32x4.mul(x, s);
      const bend = madd(f32x4.splat(3 * cubic), f32x4.mul(x, x), f32x4.splat(linear));
      const slope = madd(f32x4.mul(y, f32x4.sub(one, s)), bend, s);
      if (dGate) storeUpTo(dGate + at, f32x4.mul(f32x4.mul(dy, value), slope), left);
      storeUpTo(dUp + at, f32x4.mul(dy, gate ? y : slope), left);
    }
    if (dGate) zero(dGate + <usize>columns * F32, dGatePadding);
    zero(dUp + <usize>columns * F32, dUpPadding);
    dOut += dOutRow;
    up += upRow;
    dUp += dUpRow;
    if (gate) gate += gateRow;
    if (dGate) dGate += dGateRow;
  }
}

// @inline
function exponent(x: v128, linear: f32, cubic: f32): v128 {
  return f32x4.mul(x, madd(f32x4.splat(cubic), f32x4.mul(x, x), f32x4.splat(linear)));
}
