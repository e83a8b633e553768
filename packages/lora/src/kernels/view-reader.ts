/**
 * Reading a view four columns at a time, wherever it lies: fours of the view need not be fours of its value. What lies
 * beside the view, another part's columns or garbage, reads as zeros.
 */
import { type Rows, strideOf, type View } from '../plan/index.ts';
import type { Bindings } from './bindings.ts';
import { type Param, u32 } from './dispatch.ts';
import type { WgslPart } from './stored-matrix.ts';

/** WGSL: the numbers of a four's lanes. */
export const LANES = 'vec4<u32>(0u, 1u, 2u, 3u)';

/**
 * WGSL for reading `view`: `${name}Row(row) -> u32`, where a row starts, and `${name}(start, four) -> vec4<f32>`. Fours are
 * counted from `lead` (less than four) columns before the view's first.
 */
export function viewReader(view: View, bindings: Bindings, name: string, lead = 0): WgslPart {
  const { value, row, column, columns } = view;
  const array = bindings.value(value, 'read');
  const fours = strideOf(value) / 4;
  const begin = Math.floor((column - lead) / 4);
  const shift = column - lead - 4 * begin;
  const read = shift === 0 ? `${array}[at]` : shifted(shift, `${array}[at]`, `${array}[at + 1u]`);
  const endsInZeros = shift === 0 && column + columns === value.columns;
  const isWhole = lead === 0 && (columns % 4 === 0 || endsInZeros);
  const inside = `(4u * four + ${LANES} - ${lead}u) < vec4<u32>(params.${name}Columns)`;
  return {
    text: `fn ${name}Row(row : u32) -> u32 { return row * params.${name}Fours + params.${name}Begin; }
fn ${name}(start : u32, four : u32) -> vec4<f32> {
  let at = start + four;
  return ${isWhole ? read : `select(vec4<f32>(), ${read}, ${inside})`};
}`,
    params: {
      [`${name}Fours`]: u32(fours),
      // Before the array's first four for a lead: -1 wraps around, and comes back.
      [`${name}Begin`]: u32((row * fours + begin) >>> 0),
      ...(isWhole ? {} : { [`${name}Columns`]: u32(columns) }),
    },
  };
}

/** WGSL for four values from lane `shift` (1, 2 or 3) of one four on, the rest from the next. */
export function shifted(shift: number, low: string, high: string): string {
  return `vec4<f32>(${low}.${'xyzw'.slice(shift)}, ${high}.${'xyzw'.slice(0, shift)})`;
}

/** WGSL `rowCount() -> u32`: an operation's rows in the running step. */
export function rowCounter(rows: Rows): WgslPart {
  if (rows.of === 'positions') return { text: 'fn rowCount() -> u32 { return step.tokens; }', params: {} };
  return {
    text: 'fn rowCount() -> u32 { return min(params.mostRows, max(step.scored, params.firstRow) - params.firstRow); }',
    params: { firstRow: u32(rows.from), mostRows: u32(Math.min(rows.most, 0xffffffff)) },
  };
}

/** The parts' texts one after the other, and all their params. */
export function joinParts(parts: readonly WgslPart[]): WgslPart {
  const params: Record<string, Param> = {};
  for (const part of parts) Object.assign(params, part.params);
  return { text: parts.map(({ text }) => text).join('\n'), params };
}
