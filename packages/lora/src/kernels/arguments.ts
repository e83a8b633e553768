/**
 * What a row-wise kernel works on. A `Lane` is four values that lie side by side where every view allows it, else one
 * (views whose columns are no multiples of four: odd head sizes), so that one source serves both. Where views lie is in the
 * params, so that the kernels of all layers are one pipeline.
 */
import { type Matrix, rowCount, type Rows, strideOf, type Vector, type View } from '../plan/index.ts';
import { Bindings } from './bindings.ts';
import {
  type Binding,
  type Dispatch,
  type KernelTraits,
  linearGrid,
  type Param,
  u32,
  WORKGROUP_INDEX,
} from './dispatch.ts';
import { matrixReader } from './stored-matrix.ts';

/** Values in a lane. */
export type LaneWidth = 1 | 4;

/** The width of lanes that all views and all sizes of parts of them (heads, groups) allow. */
export function laneWidth(views: readonly (View | null)[], sizes: readonly number[] = []): LaneWidth {
  const fits = views.every(
    (view) =>
      view === null ||
      (view.column % 4 === 0 && (view.columns % 4 === 0 || view.column + view.columns === view.value.columns)),
  );
  return fits && sizes.every((size) => size % 4 === 0) ? 4 : 1;
}

/** WGSL for an element of an array, given WGSL for its row and its lane in the row. */
export type ElementAt = (row: string, lane: string | number) => string;

/** Bindings and params of a kernel over lanes of one width, as its text names them. */
export class KernelArguments {
  readonly width: LaneWidth;
  readonly #bindings = new Bindings();
  readonly #params: Record<string, Param> = {};

  constructor(width: LaneWidth) {
    this.width = width;
  }

  get bindings(): readonly Binding[] {
    return this.#bindings.list;
  }

  get params(): Readonly<Record<string, Param>> {
    return this.#params;
  }

  /** WGSL's type of a lane. */
  get element(): 'vec4<f32>' | 'f32' {
    return this.width === 4 ? 'vec4<f32>' : 'f32';
  }

  /** WGSL that declares `Lane`, the `total` of its values and the `inner` product of two. */
  get text(): string {
    const isVector = this.width === 4;
    return `alias Lane = ${this.element};
fn total(x : Lane) -> f32 { return ${isVector ? 'dot(x, vec4<f32>(1.0))' : 'x'}; }
fn inner(x : Lane, y : Lane) -> f32 { return ${isVector ? 'dot(x, y)' : 'x * y'}; }`;
  }

  /** Lanes in `count` values. */
  lanes(count: number): number {
    return Math.ceil(count / this.width);
  }

  /** A view of a value, element by element. `width`: 1 for a value that is read one by one whatever the other views. */
  view(name: string, view: View, access: Binding['access'], width = this.width): ElementAt {
    const array = this.#bindings.value(view.value, access, width === 4 ? 'vec4<f32>' : 'f32');
    const stride = strideOf(view.value) / width;
    const base = this.param(`${name}Base`, u32(view.row * stride + view.column / width));
    const step = this.param(`${name}Stride`, u32(stride));
    return (row, lane) => `${array}[${base} + ${row} * ${step} + ${lane}]`;
  }

  /** A vector, element by element. Its size must be a multiple of the lane's. */
  vector(name: string, vector: Vector): (lane: string | number) => string {
    if (vector.from === 'stored') {
      this.#bindings.add(name, { of: 'stored', name: vector.name }, 'read', this.element);
      return (lane) => `${name}[${lane}]`;
    }
    const known = this.bindings.some((binding) => binding.name === 'values');
    if (!known) this.#bindings.add('values', { of: 'state', name: 'values' }, 'read', this.element);
    const base = this.param(`${name}Base`, u32(vector.offset / this.width));
    return (lane) => `values[${base} + ${lane}]`;
  }

  /** WGSL for reading a matrix, lane by lane of four: see `matrixReader`. */
  matrix(name: string, matrix: Matrix, formatOf: KernelTraits['formatOf']): string {
    const { text, params } = matrixReader(matrix, formatOf, this.#bindings, name);
    Object.assign(this.#params, params);
    return text;
  }

  /** Any other buffer. */
  buffer(name: string, buffer: Binding['buffer'], element: string, access: Binding['access'] = 'read'): string {
    return this.#bindings.add(name, buffer, access, element);
  }

  /** WGSL for a constant. */
  param(name: string, value: Param): string {
    this.#params[name] = value;
    return `params.${name}`;
  }

  /** WGSL for the number of rows that an operation has in the running step. */
  rows(rows: Rows): string {
    if (rows.of === 'positions') return 'step.tokens';
    const first = this.param('firstRow', u32(rows.from));
    const most = this.param('mostRows', u32(Math.min(rows.most, 0xffffffff)));
    return `min(${most}, max(step.scored, ${first}) - ${first})`;
  }
}

/** WGSL that writes zeros behind a view that ends its value's rows; nothing where no padding is left. */
export function writePadding({ value, column, columns }: View, at: ElementAt, width: LaneWidth, row: string): string {
  const end = column + columns;
  if (end < value.columns || width === 4) return '';
  return Array.from({ length: strideOf(value) - end }, (_, i) => `${at(row, columns + i)} = 0.0;`).join(' ');
}

/**
 * A kernel with a thread for each of `perRow` parts of each row: `body` is WGSL that finds them as `row` and `part`.
 * `declarations` stands before it, `size` threads are a workgroup.
 */
export function threadPerPart(
  label: string,
  args: KernelArguments,
  rows: Rows,
  perRow: number,
  { declarations = '', body, size = 64 }: { declarations?: string; body: string; size?: number },
): Dispatch {
  const parts = args.param('parts', u32(perRow));
  const count = args.rows(rows);
  return {
    label,
    bindings: args.bindings,
    params: args.params,
    code: `${args.text}
${WORKGROUP_INDEX}
${declarations}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) id : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let index = workgroupIndex(id) * ${size}u + thread;
  let row = index / ${parts};
  let part = index % ${parts};
  if (row >= ${count}) { return; }
${body}
}`,
    grid: (shape) => linearGrid(Math.ceil((rowCount(rows, shape) * perRow) / size)),
  };
}
