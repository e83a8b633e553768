/**
 * C = base + bias + scale * A B, with A `[m, k]`, B `[k, n]`, C and base `[m, n]`, blocked as in GotoBLAS (Goto & van de
 * Geijn 2008): B is packed in panels of eight columns, which the micro-kernel reads in order, and five rows of a panel's
 * product are summed in registers. A is read where it lies if its rows are contiguous, and else transposed first.
 *
 * Five by eight fits the sixteen registers of AVX in both builds: 50 and 37 GFLOP/s (relaxed, plain) within the first
 * cache, where 6 x 8 makes 50 and 26, and 4 x 8 makes 44 and 33 (2026-11, Node 20, one thread of an AMD EPYC).
 */
import { copyRows, packColumns, TILE_COLUMNS, transpose } from './packing';
import { F32, loadUpTo, madd, storeUpTo, zero } from './simd';

const TILE_ROWS: i32 = 5;
/** `[ROWS, DEPTH]` of A and `[DEPTH, COLUMNS]` of B are worked on at a time and stay in the second cache. */
const ROWS: i32 = 60;
const COLUMNS: i32 = 256;
const DEPTH: i32 = 256;

/** Bytes that `gemm` needs at `scratch`. */
export function gemmScratchBytes(): i32 {
  return (TILE_ROWS * TILE_COLUMNS + COLUMNS * DEPTH + ROWS * DEPTH) * <i32>F32;
}

/**
 * `aRow` and `aColumn` are bytes from one row or column of A to the next, and so on; one of the two is an f32's, and so
 * with B. `base` and `bias` may be 0: none. `base` may be C. Of each row of C `padding` floats behind column n are zeroed.
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
  const panels = tile + <usize>(TILE_ROWS * TILE_COLUMNS) * F32;
  const transposed = panels + <usize>(COLUMNS * DEPTH) * F32;
  for (let column = 0; column < n; column += COLUMNS) {
    const columns = min(COLUMNS, n - column);
    const at = <usize>column * F32;
    for (let inner = 0; inner === 0 || inner < k; inner += DEPTH) {
      const depth = min(DEPTH, k - inner);
      packColumns(panels, b + <usize>inner * bRow + <usize>column * bColumn, columns, bColumn, bRow, depth);
      for (let row = 0; row < m; row += ROWS) {
        const rows = min(ROWS, m - row);
        const target = c + <usize>row * cRow + at;
        let from = a + <usize>row * aRow + <usize>inner * aColumn;
        let fromRow = aRow;
        if (aColumn !== F32 || m < TILE_ROWS) {
          fromRow = <usize>DEPTH * F32;
          if (aColumn === F32) copyRows(transposed, fromRow, from, aRow, rows, depth);
          else transpose(transposed, fromRow, from, aColumn, depth, rows);
          from = transposed;
        }
        const start = inner > 0 ? target : base ? base + <usize>row * baseRow + at : 0;
        const startRow = inner > 0 ? cRow : baseRow;
        const offset = inner === 0 && bias !== 0 ? bias + at : 0;
        block(rows, columns, depth, from, fromRow, panels, target, cRow, start, startRow, offset, scale, tile);
      }
    }
  }
  if (padding > 0) for (let row = 0; row < m; row++) zero(c + <usize>row * cRow + <usize>n * F32, padding);
}

/** A block of C. The last rows are computed with those before them, which are there: see `gemm`. */
function block(
  rows: i32,
  columns: i32,
  depth: i32,
  a: usize,
  aRow: usize,
  panels: usize,
  c: usize,
  cRow: usize,
  base: usize,
  baseRow: usize,
  bias: usize,
  scale: f32,
  tile: usize,
): void {
  for (let j = 0; j < columns; j += TILE_COLUMNS) {
    const width = min(TILE_COLUMNS, columns - j);
    const at = <usize>j * F32;
    const panel = panels + <usize>(j * depth) * F32;
    const offset = bias ? bias + at : 0;
    for (let i = 0; i < rows; i += TILE_ROWS) {
      const height = min(TILE_ROWS, rows - i);
      const early = TILE_ROWS - height;
      multiply(depth, a + <usize>(i - early) * aRow, aRow, panel, tile);
      const target = c + <usize>i * cRow + at;
      const start = base ? base + <usize>i * baseRow + at : 0;
      const sums = tile + <usize>(early * TILE_COLUMNS) * F32;
      finish(sums, target, cRow, height, width, start, baseRow, offset, scale);
    }
  }
}

/**
 * The product of five rows of A with a panel of B, to a tile. The module exports it, though nobody outside calls it, to keep
 * the compiler from inlining it: within a larger function its sums spill out of the registers, at half the speed.
 */
export function multiply(depth: i32, a0: usize, aRow: usize, b: usize, tile: usize): void {
  let a1 = a0 + aRow;
  let a2 = a0 + 2 * aRow;
  let a3 = a0 + 3 * aRow;
  let a4 = a0 + 4 * aRow;
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
  const end = b + <usize>(depth * TILE_COLUMNS) * F32;
  while (b < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let s = v128.load_splat<f32>(a0);
    c00 = madd(s, b0, c00);
    c01 = madd(s, b1, c01);
    s = v128.load_splat<f32>(a1);
    c10 = madd(s, b0, c10);
    c11 = madd(s, b1, c11);
    s = v128.load_splat<f32>(a2);
    c20 = madd(s, b0, c20);
    c21 = madd(s, b1, c21);
    s = v128.load_splat<f32>(a3);
    c30 = madd(s, b0, c30);
    c31 = madd(s, b1, c31);
    s = v128.load_splat<f32>(a4);
    c40 = madd(s, b0, c40);
    c41 = madd(s, b1, c41);
    a0 += F32;
    a1 += F32;
    a2 += F32;
    a3 += F32;
    a4 += F32;
    b += 32;
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
  const bias0 = bias ? loadUpTo(bias, width) : f32x4.splat(0);
  const bias1 = bias && width > 4 ? loadUpTo(bias + 16, width - 4) : f32x4.splat(0);
  for (let i = 0; i < height; i++, tile += 32, c += cRow) {
    let sum0 = madd(v128.load(tile), factor, bias0);
    let sum1 = madd(v128.load(tile, 16), factor, bias1);
    if (width === TILE_COLUMNS) {
      if (base) {
        sum0 = f32x4.add(sum0, v128.load(base));
        sum1 = f32x4.add(sum1, v128.load(base, 16));
        base += baseRow;
      }
      v128.store(c, sum0);
      v128.store(c, sum1, 16);
    } else {
      if (base) {
        sum0 = f32x4.add(sum0, loadUpTo(base, width));
        if (width > 4) sum1 = f32x4.add(sum1, loadUpTo(base + 16, width - 4));
        base += baseRow;
      }
      storeUpTo(c, sum0, width);
      if (width > 4) storeUpTo(c + 16, sum1, width - 4);
    }
  }
}
