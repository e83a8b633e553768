/**
 * C = base + bias + scale * A B, with A `[m, k]`, B `[k, n]`, C and base `[m, n]`, blocked as GotoBLAS is (Goto & van de
 * Geijn 2008): panels of B and A are packed so that the micro-kernel reads both in order, and a tile of C is summed in
 * registers. Strides of A and B are free, so one kernel serves every orientation.
 */
import { F32, loadUpTo, madd, storeUpTo, zero } from './simd';

/** Rows and columns of a tile. */
const TILE_ROWS: i32 = 6;
const TILE_COLUMNS: i32 = 8;
/** Sizes of the packed blocks: `[ROWS, DEPTH]` of A stays in the first cache, `[DEPTH, COLUMNS]` of B in the second. */
const ROWS: i32 = 48;
const COLUMNS: i32 = 512;
const DEPTH: i32 = 256;

/** Bytes that `gemm` needs at `scratch`. */
export function gemmScratchBytes(): i32 {
  return (TILE_ROWS * TILE_COLUMNS + ROWS * DEPTH + COLUMNS * DEPTH) * <i32>F32;
}

/**
 * `aRow` and `aColumn` are bytes from one row or column of A to the next, and so on. `base` and `bias` may be 0: none.
 * `base` may be C. Of each row of C `padding` floats behind column n are zeroed.
 */
export function gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: usize,
  aColumn: usize,
  b: usize,
  bRow: usize,
  bColumn: usize,
  c: usize,
  cRow: usize,
  padding: i32,
  base: usize,
  baseRow: usize,
  bias: usize,
  scale: f32,
  scratch: usize,
): void {
  const tile = scratch;
  const aPacked = tile + <usize>(TILE_ROWS * TILE_COLUMNS) * F32;
  const bPacked = aPacked + <usize>(ROWS * DEPTH) * F32;
  for (let column = 0; column < n; column += COLUMNS) {
    const columns = min(COLUMNS, n - column);
    for (let inner = 0; inner === 0 || inner < k; inner += DEPTH) {
      const depth = min(DEPTH, k - inner);
      const bBlock = b + <usize>inner * bRow + <usize>column * bColumn;
      for (let j = 0; j < columns; j += TILE_COLUMNS) {
        const to = bPacked + <usize>(j * depth) * F32;
        packColumns(to, bBlock + <usize>j * bColumn, min(TILE_COLUMNS, columns - j), bColumn, bRow, depth);
      }
      for (let row = 0; row < m; row += ROWS) {
        const rows = min(ROWS, m - row);
        const aBlock = a + <usize>row * aRow + <usize>inner * aColumn;
        for (let i = 0; i < rows; i += TILE_ROWS) {
          const to = aPacked + <usize>(i * depth) * F32;
          packRows(to, aBlock + <usize>i * aRow, min(TILE_ROWS, rows - i), aRow, aColumn, depth);
        }
        for (let j = 0; j < columns; j += TILE_COLUMNS) {
          for (let i = 0; i < rows; i += TILE_ROWS) {
            multiply(depth, aPacked + <usize>(i * depth) * F32, bPacked + <usize>(j * depth) * F32, tile);
            const target = c + <usize>(row + i) * cRow + <usize>(column + j) * F32;
            const height = min(TILE_ROWS, rows - i);
            const width = min(TILE_COLUMNS, columns - j);
            if (inner > 0) finish(tile, target, cRow, height, width, target, cRow, 0, scale);
            else {
              const start = base ? base + <usize>(row + i) * baseRow + <usize>(column + j) * F32 : 0;
              const offset = bias ? bias + <usize>(column + j) * F32 : 0;
              finish(tile, target, cRow, height, width, start, baseRow, offset, scale);
            }
          }
        }
      }
    }
  }
  if (padding > 0) for (let row = 0; row < m; row++) zero(c + <usize>row * cRow + <usize>n * F32, padding);
}

/** A panel of B: for each of `depth` steps the values of `lanes` columns, filled up with zeros to a tile's. */
function packColumns(to: usize, from: usize, lanes: i32, lane: usize, step: usize, depth: i32): void {
  if (lanes === TILE_COLUMNS && lane === F32) {
    for (let k = 0; k < depth; k++, from += step, to += 32) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
    }
  } else packLanes(to, from, TILE_COLUMNS, lanes, lane, step, depth);
}

/** A panel of A likewise. */
function packRows(to: usize, from: usize, lanes: i32, lane: usize, step: usize, depth: i32): void {
  packLanes(to, from, TILE_ROWS, lanes, lane, step, depth);
}

function packLanes(to: usize, from: usize, width: i32, lanes: i32, lane: usize, step: usize, depth: i32): void {
  const stride = <usize>width * F32;
  for (let l = 0; l < width; l++) {
    let target = to + <usize>l * F32;
    let source = from + <usize>l * lane;
    if (l < lanes) {
      for (let k = 0; k < depth; k++, target += stride, source += step) store<f32>(target, load<f32>(source));
    } else {
      for (let k = 0; k < depth; k++, target += stride) store<f32>(target, 0);
    }
  }
}

/** The product of two packed panels, to a tile. */
function multiply(depth: i32, a: usize, b: usize, tile: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  let c40 = c00;
  let c41 = c00;
  let c50 = c00;
  let c51 = c00;
  for (let k = 0; k < depth; k++, a += 24, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let s = v128.load_splat<f32>(a);
    c00 = madd(s, b0, c00);
    c01 = madd(s, b1, c01);
    s = v128.load_splat<f32>(a, 4);
    c10 = madd(s, b0, c10);
    c11 = madd(s, b1, c11);
    s = v128.load_splat<f32>(a, 8);
    c20 = madd(s, b0, c20);
    c21 = madd(s, b1, c21);
    s = v128.load_splat<f32>(a, 12);
    c30 = madd(s, b0, c30);
    c31 = madd(s, b1, c31);
    s = v128.load_splat<f32>(a, 16);
    c40 = madd(s, b0, c40);
    c41 = madd(s, b1, c41);
    s = v128.load_splat<f32>(a, 20);
    c50 = madd(s, b0, c50);
    c51 = madd(s, b1, c51);
  }
  v128.store(tile, c00);
  v128.store(tile, c01, 16);
  v128.store(tile, c10, 32);
  v128.store(tile, c11, 48);
  v128.store(tile, c20, 64);
  v128.store(tile, c21, 80);
  v128.store(tile, c30, 96);
  v128.store(tile, c31, 112);
  v128.store(tile, c40, 128);
  v128.store(tile, c41, 144);
  v128.store(tile, c50, 160);
  v128.store(tile, c51, 176);
}

/** `height` x `width` of C = base + bias + scale * tile. */
function finish(
  tile: usize,
  c: usize,
  cRow: usize,
  height: i32,
  width: i32,
  base: usize,
  baseRow: usize,
  bias: usize,
  scale: f32,
): void {
  const factor = f32x4.splat(scale);
  for (let i = 0; i < height; i++, tile += 32, c += cRow, base += base ? baseRow : 0) {
    for (let j = 0; j < width; j += 4) {
      const at = <usize>j * F32;
      let sum = f32x4.mul(v128.load(tile + at), factor);
      if (bias) sum = f32x4.add(sum, loadUpTo(bias + at, width - j));
      if (base) sum = f32x4.add(sum, loadUpTo(base + at, width - j));
      storeUpTo(c + at, sum, width - j);
    }
  }
}
