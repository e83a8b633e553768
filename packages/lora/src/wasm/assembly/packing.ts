/** Copies blocks of matrices into the order in which the micro-kernel of `gemm` reads them. */
import { F32 } from './simd';

/** Columns of B in a panel. */
export const TILE_COLUMNS: i32 = 8;

/** B `[depth, columns]` in panels of eight columns, filled up with zeros; `column` and `row` are bytes from one to the next. */
export function packColumns(to: usize, from: usize, columns: i32, column: usize, row: usize, depth: i32): void {
  const panel = <usize>(TILE_COLUMNS * depth) * F32;
  for (let j = 0; j < columns; j += TILE_COLUMNS, to += panel, from += <usize>TILE_COLUMNS * column) {
    const width = min(TILE_COLUMNS, columns - j);
    if (width < TILE_COLUMNS) memory.fill(to, 0, panel);
    if (column !== F32) transpose(to, 32, from, column, width, depth);
    else if (width < TILE_COLUMNS) copyRows(to, 32, from, row, depth, width);
    else copyPanel(to, from, row, depth);
  }
}

function copyPanel(to: usize, from: usize, row: usize, depth: i32): void {
  for (let k = 0; k < depth; k++, from += row, to += 32) {
    v128.store(to, v128.load(from));
    v128.store(to, v128.load(from, 16), 16);
  }
}

/** `to[i][j] = from[i][j]`. */
export function copyRows(to: usize, toRow: usize, from: usize, fromRow: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++, from += fromRow, to += toRow) memory.copy(to, from, <usize>columns * F32);
}

/** `to[j][i] = from[i][j]` for `rows` rows of `columns` contiguous columns, four by four. */
export function transpose(to: usize, toRow: usize, from: usize, fromRow: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i += 4, from += 4 * fromRow, to += 16) {
    const height = min(4, rows - i);
    let j = height === 4 ? transposeFour(to, toRow, from, fromRow, columns) : 0;
    for (; j < columns; j++) {
      for (let l = 0; l < height; l++) {
        store<f32>(to + <usize>j * toRow + <usize>l * F32, load<f32>(from + <usize>l * fromRow + <usize>j * F32));
      }
    }
  }
}

/** Four rows, as far as whole squares of four columns go; gives the first column that is left. */
function transposeFour(to: usize, toRow: usize, from: usize, fromRow: usize, columns: i32): i32 {
  let j = 0;
  for (; j + 4 <= columns; j += 4, from += 16, to += 4 * toRow) {
    const r0 = v128.load(from);
    const r1 = v128.load(from + fromRow);
    const r2 = v128.load(from + 2 * fromRow);
    const r3 = v128.load(from + 3 * fromRow);
    const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
    v128.store(to + toRow, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7));
    v128.store(to + 2 * toRow, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5));
    v128.store(to + 3 * toRow, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7));
  }
  return j;
}
