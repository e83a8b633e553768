/**
 * One generator for every product with activations on the left: the linear layers in both directions, their low-rank
 * adapters as further terms of the same sum, and the adapters' narrow products. `product-terms.ts` says how the sides are
 * read and this file how a result is written. In between are three loops: a thread's own registers, a tile of a workgroup
 * (`KernelTraits.productLoop` says which of the two is faster), and a reduction split over a workgroup (narrow products on
 * GPUs).
 */
import { type Rows, rowCount, strideOf, type Vector, type View } from '../plan/index.ts';
import { Bindings } from './bindings.ts';
import { type Dispatch, f32, type KernelTraits, type Param, u32 } from './dispatch.ts';
import { narrowKernel } from './product-narrow.ts';
import { registerKernel } from './product-registers.ts';
import { type Term, termText } from './product-terms.ts';
import { tileKernel } from './product-tile.ts';
import { trainedValues, type WgslPart } from './stored-matrix.ts';
import { joinParts, LANES, rowCounter, viewReader } from './view-reader.ts';

/** `out = addend + bias + scale * sum of terms`, a scale for each range of columns. */
export interface Product {
  label: string;
  terms: readonly Term[];
  /** From column `begin` on, up to the next one's; null: unscaled. */
  scales: readonly { begin: number; scale: number }[] | null;
  bias: Vector | null;
  addend: View | null;
  out: View;
  rows: Rows;
}

/** A product's loop: WGSL with its `main`, and how many output rows and fours of columns a workgroup has. */
export interface ProductKernel {
  label: string;
  text: string;
  rows: number;
  fours: number;
}

/** A term as the loops see it. */
export type NumberedTerm = Term & { isEverywhere: boolean };

/** The launch of a product. `isNarrow`: it has few columns and long sums. */
export function productDispatch(product: Product, isNarrow: boolean, traits: KernelTraits): Dispatch {
  const { label, terms, out, rows } = product;
  const bindings = new Bindings();
  const lead = out.column % 4;
  const texts = terms.map((term, i) => termText(term, i, out, lead, traits.formatOf, bindings));
  const { text, params } = joinParts([
    rowCounter(rows),
    ...texts,
    startText(product, bindings, lead),
    finishText(product, bindings, lead),
  ]);
  const numbered = terms.map((term, i) => ({ ...term, isEverywhere: texts[i]!.isEverywhere }));
  const kernel = kernelOf(numbered, isNarrow, traits);
  const fours = Math.ceil((lead + out.columns) / 4);
  return {
    label: `${label}, ${kernel.label}`,
    bindings: bindings.list,
    params: { ...params, outFours: u32(fours) },
    code: `${text}\n${kernel.text}`,
    grid: (shape) => [Math.ceil(fours / kernel.fours), Math.ceil(rowCount(rows, shape) / kernel.rows), 1],
  };
}

function kernelOf(terms: readonly NumberedTerm[], isNarrow: boolean, traits: KernelTraits): ProductKernel {
  if (isNarrow && !traits.isSoftware) return narrowKernel(terms);
  const inRegisters = isNarrow || traits.productLoop === 'registers';
  return inRegisters ? registerKernel(terms, isNarrow ? 1 : 2, traits.isSoftware) : tileKernel(terms);
}

/** `startOf(column4) -> vec4<f32>`: what a sum starts from, the bias. */
function startText({ bias }: Product, bindings: Bindings, lead: number): WgslPart {
  if (!bias) return { text: 'fn startOf(column4 : u32) -> vec4<f32> { return vec4<f32>(); }', params: {} };
  const columns = `let column = min(4u * column4 + ${LANES} - ${lead}u, vec4<u32>(params.lastBias));`;
  const last = { lastBias: u32(bias.size - 1) };
  if (bias.from === 'stored') {
    const data = bindings.add('bias', { of: 'stored', name: bias.name }, 'read', 'f32');
    const lanes = ['x', 'y', 'z', 'w'].map((lane) => `${data}[column.${lane}]`).join(', ');
    return {
      text: `fn startOf(column4 : u32) -> vec4<f32> {\n  ${columns}\n  return vec4<f32>(${lanes});\n}`,
      params: last,
    };
  }
  const values = trainedValues(bindings);
  const lanes = ['x', 'y', 'z', 'w'].map(
    (lane) => `${values}[params.biasBegin + column.${lane} / 4u][column.${lane} % 4u]`,
  );
  return {
    text: `fn startOf(column4 : u32) -> vec4<f32> {\n  ${columns}\n  return vec4<f32>(${lanes.join(', ')});\n}`,
    params: { ...last, biasBegin: u32(bias.offset / 4) },
  };
}

/**
 * `finish(row, column4, sum)`: scales, adds the addend, and writes one four. Every four of the output belongs to one thread,
 * which leaves the lanes before and behind the view as they are, but writes the padding of the value's rows as zeros.
 */
function finishText({ scales, addend, out }: Product, bindings: Bindings, lead: number): WgslPart {
  const { value, row, column, columns } = out;
  const array = bindings.value(value, 'read_write');
  const fours = strideOf(value) / 4;
  const addendReader = addend ? [viewReader(addend, bindings, 'addend', lead)] : [];
  const scaler = scales ? [scaleText(scales)] : [];
  const endsRow = column + columns === value.columns;
  const isWhole = lead === 0 && columns % 4 === 0;
  const keepsOld = lead > 0 || !endsRow;
  const old = endsRow
    ? `select(${array}[at], vec4<f32>(), lane >= vec4<u32>(params.outColumns + ${lead}u))`
    : `${array}[at]`;
  const write = isWhole
    ? 'result'
    : `select(${keepsOld ? old : 'vec4<f32>()'}, result, (lane - ${lead}u) < vec4<u32>(params.outColumns))`;
  const text = `fn finish(row : u32, column4 : u32, sum : vec4<f32>) {
  let at = row * params.outStride + params.outBegin + column4;
  ${isWhole && !scales ? '' : `let lane = 4u * column4 + ${LANES};`}
  let result = sum${scales ? ` * scaleOf(lane - ${lead}u)` : ''}${addend ? ' + addend(addendRow(row), column4)' : ''};
  ${array}[at] = ${write};
}`;
  const params = {
    outStride: u32(fours),
    outBegin: u32(row * fours + Math.floor(column / 4)),
    outColumns: u32(columns),
  };
  return joinParts([...addendReader, ...scaler, { text, params }]);
}

/** `scaleOf(columns) -> vec4<f32>`. */
function scaleText(scales: readonly { begin: number; scale: number }[]): WgslPart {
  const params: Record<string, Param> = {};
  const steps = scales.map(({ begin, scale }, i) => {
    Object.assign(params, { [`scaleFrom${i}`]: u32(begin), [`scale${i}`]: f32(scale) });
    return `scale = select(scale, vec4<f32>(params.scale${i}), column >= vec4<u32>(params.scaleFrom${i}));`;
  });
  const text = `fn scaleOf(column : vec4<u32>) -> vec4<f32> {\n  var scale = vec4<f32>();\n  ${steps.join('\n  ')}\n  return scale;\n}`;
  return { text, params };
}
