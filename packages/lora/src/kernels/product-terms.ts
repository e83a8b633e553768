/**
 * Sums of matrix products, as the kernels of `product.ts` see them: out = sum over terms of left right^T or left right. Each
 * term becomes the same few WGSL functions, whatever its matrix is stored as and wherever its views lie:
 *
 *   left0Row(row) -> u32, left0(start, k4)      four of a row of the left side, from column 4 k4 on
 *   place0(column4) -> Place0                   where the right side's four output columns lie
 *   block0(column4, place, k4) -> mat4x4<f32>   its 4 x 4 block there
 *
 * A block lies as the matrix does. Rows along the reduction: `left * block` adds up; across it: `block * left`.
 */
import type { Matrix, View } from '../plan/index.ts';
import type { Bindings } from './bindings.ts';
import { type KernelTraits, u32 } from './dispatch.ts';
import { matrixReader, type WgslPart } from './stored-matrix.ts';
import { joinParts, LANES, shifted, viewReader } from './view-reader.ts';

/**
 * Adds `left right^T` (`reduces: 'columns'`, right `[width, left.columns]`) or `left right` (`'rows'`, right
 * `[left.columns, width]`) to the output's columns `[begin, begin + width)`.
 */
export interface Term {
  left: View;
  right: Matrix;
  reduces: 'columns' | 'rows';
  begin: number;
}

/** A term's functions are named after its number. `isEverywhere`: it adds to every column of the output. */
export interface TermText extends WgslPart {
  isEverywhere: boolean;
}

/** Output columns that a term adds to. */
function widthOf({ right, reduces }: Term): number {
  return reduces === 'columns' ? right.rows : right.columns;
}

/** WGSL for what a left four and a block add to an output four. */
export function timesBlock({ reduces }: Term, left: string, block: string): string {
  return reduces === 'columns' ? `${left} * ${block}` : `${block} * ${left}`;
}

/**
 * The functions of term number `i`, besides those above: `inTerm0(column4, count) -> bool`, whether the term adds to any of
 * `count` output fours from `column4` on. Output fours begin `lead` columns before the output's first. Blocks are zero
 * where a term adds nothing.
 */
export function termText(
  term: Term,
  i: number,
  out: View,
  lead: number,
  formatOf: KernelTraits['formatOf'],
  bindings: Bindings,
): TermText {
  const { left, right, reduces, begin } = term;
  const width = widthOf(term);
  const first = begin + lead;
  const isRagged = first % 4 !== 0 || (width % 4 !== 0 && begin + width !== out.columns);
  const readers = joinParts([
    viewReader(left, bindings, `left${i}`),
    matrixReader(right, formatOf, bindings, `right${i}`),
  ]);
  const isEverywhere = begin === 0 && width === out.columns;
  const guard = isRagged ? `let inside = inside${i}(column4);` : isEverywhere ? '' : outsideIsZero(i);
  const blocks =
    reduces === 'columns'
      ? alongColumns(i, isRagged, guard)
      : alongRows(i, isRagged, guard, first, right.rows % 4 !== 0);
  const inside = `fn inside${i}(column4 : u32) -> vec4<f32> {
  return select(vec4<f32>(), vec4<f32>(1.0), (4u * column4 + ${LANES} - params.first${i}) < vec4<u32>(params.width${i}));
}`;
  const inTerm = `fn inTerm${i}(column4 : u32, count : u32) -> bool {
  return 4u * (column4 + count) > params.first${i} && 4u * column4 < params.first${i} + params.width${i};
}`;
  return {
    isEverywhere,
    text: [readers.text, ...(isRagged ? [inside] : []), ...(isEverywhere ? [] : [inTerm]), blocks].join('\n'),
    params: {
      ...readers.params,
      [`depth${i}`]: u32(Math.ceil(left.columns / 4)),
      [`first${i}`]: u32(first),
      [`width${i}`]: u32(width),
      [`lastRow${i}`]: u32(right.rows - 1),
      [`lastFour${i}`]: u32(Math.ceil(right.columns / 4) - 1),
    },
  };
}

function outsideIsZero(i: number): string {
  return `if (!inTerm${i}(column4, 1u)) { return mat4x4<f32>(); }`;
}

/** Output columns are rows of the matrix: a block has a column for each, which runs along the reduction. */
function alongColumns(i: number, isRagged: boolean, guard: string): string {
  const columns = [0, 1, 2, 3].map((e) => `right${i}(place[${e}] + k4)${isRagged ? ` * inside[${e}]` : ''}`);
  return `alias Place${i} = vec4<u32>;
fn place${i}(column4 : u32) -> vec4<u32> {
  let row = min(4u * column4 + ${LANES} - params.first${i}, vec4<u32>(params.lastRow${i}));
  return vec4<u32>(right${i}Row(row.x), right${i}Row(row.y), right${i}Row(row.z), right${i}Row(row.w));
}
fn block${i}(column4 : u32, place : vec4<u32>, k4 : u32) -> mat4x4<f32> {
  ${guard}
  return mat4x4<f32>(${columns.join(', ')});
}`;
}

/** Output columns are columns of the matrix: a block has a column for each step of the reduction. */
function alongRows(i: number, isRagged: boolean, guard: string, first: number, hasTail: boolean): string {
  const shift = (4 - (first % 4)) % 4;
  const rows = [0, 1, 2, 3].map((e) => {
    const row = hasTail ? `min(4u * k4 + ${e}u, params.lastRow${i})` : `4u * k4 + ${e}u`;
    return `rightFours${i}(right${i}Row(${row}), place)${isRagged ? ' * inside' : ''}`;
  });
  const low = `right${i}(start + min(place, params.lastFour${i}))`;
  const high = `right${i}(start + min(place + 1u, params.lastFour${i}))`;
  return `alias Place${i} = u32;
fn place${i}(column4 : u32) -> u32 { return column4 - (params.first${i} + 3u) / 4u; }
fn rightFours${i}(start : u32, place : u32) -> vec4<f32> { return ${shift === 0 ? low : shifted(shift, low, high)}; }
fn block${i}(column4 : u32, place : u32, k4 : u32) -> mat4x4<f32> {
  ${guard}
  return mat4x4<f32>(${rows.join(', ')});
}`;
}
