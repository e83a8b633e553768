/**
 * One kernel launch as data: its WGSL, what it binds, its constants and its grid. Kernels are written against names:
 * `bindings` declares storage arrays, `params` a uniform of constants, and every kernel can read `step`, the sizes and
 * scalars of the running step. A grid is a function of the batch's sizes, so one recording serves every batch.
 */
import type { StoredFormat } from '../packing/index.ts';
import type { BatchShape, Value } from '../plan/index.ts';
import type { BatchInputs, FlatState } from './host-memory.ts';

/** A buffer by what it holds. */
export type BufferRef =
  | { of: 'value'; value: Value }
  /** A frozen matrix with its scales behind it, a vector or a rotary table. */
  | { of: 'stored'; name: string }
  | { of: 'state'; name: keyof FlatState }
  | { of: 'input'; name: keyof BatchInputs }
  /** `[loss, gradient norm]`, then room for PARTIAL_SUMS partial sums. */
  | { of: 'measures' };

/** How many partial sums the measures buffer has room for, behind its four first floats. */
export const PARTIAL_SUMS = 256;

/** A storage array. `element` as in WGSL: `f32`, `vec4<f32>`, `u32`, ... */
export interface Binding {
  name: string;
  element: string;
  access: 'read' | 'read_write';
  buffer: BufferRef;
}

/** A constant of one dispatch. */
export type Param = { type: 'u32' | 'f32'; value: number };

/** A whole number, not negative. */
export function u32(value: number): Param {
  return { type: 'u32', value };
}

/** A float. */
export function f32(value: number): Param {
  return { type: 'f32', value };
}

/** A number as a WGSL float literal. */
export function wgslFloat(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

export type Grid = [x: number, y: number, z: number];

export interface Dispatch {
  /** For people: the operation and its variant. */
  label: string;
  bindings: readonly Binding[];
  params: Readonly<Record<string, Param>>;
  /** Everything else: constants, functions and `@compute ... fn main`. Two dispatches with one text share a pipeline. */
  code: string;
  /** Workgroups at a batch's sizes; any zero skips the dispatch. */
  grid: (shape: BatchShape) => Grid;
}

/** The loops of wide products, `product.ts`: a thread's own registers, or a workgroup's tile in shared memory. */
export const productLoops = ['registers', 'tile'] as const;
export type ProductLoop = (typeof productLoops)[number];

/** What a kernel may know of the device and of how matrices are stored. */
export interface KernelTraits {
  /** The adapter is a program on the CPU: barriers are dear there, and workgroup memory gains nothing. */
  isSoftware: boolean;
  /** The faster one for wide products. Loops differ in how they round. */
  productLoop: ProductLoop;
  /** Threads of a workgroup that the device allows. */
  maxInvocations: number;
  /** How a frozen matrix is stored. */
  formatOf: (name: string) => StoredFormat;
}

/** Largest number of workgroups in one direction that every device allows. */
const MOST_WORKGROUPS = 65_535;

/** A grid of `count` workgroups in a row, folded into two directions where one is too short: see `workgroupIndex`. */
export function linearGrid(count: number): Grid {
  if (count <= MOST_WORKGROUPS) return [count, 1, 1];
  return [MOST_WORKGROUPS, Math.ceil(count / MOST_WORKGROUPS), 1];
}

/** WGSL for the number of a workgroup in a `linearGrid`, given its id: `workgroupIndex(id)`. */
export const WORKGROUP_INDEX = `fn workgroupIndex(id : vec3<u32>) -> u32 { return id.x + id.y * ${MOST_WORKGROUPS}u; }`;

/** The scalars of a step as every kernel sees them, in this order, four bytes each. */
export const STEP_STRUCT = `struct Step {
  rows : u32,          // B
  positions : u32,     // T
  tokens : u32,        // M = B * T
  scored : u32,        // S
  accumulates : u32,   // 1: add to the gradient, 0: overwrite it
  learningRate : f32,
  decay : f32,         // 1 - learningRate * weightDecay
  clipNorm : f32,
  firstScale : f32,    // 1 / (1 - beta1^step)
  secondScale : f32,   // 1 / (1 - beta2^step)
}`;

/** The dispatch's whole WGSL. */
export function wgslOf({ bindings, params, code }: Dispatch): string {
  const names = Object.entries(params);
  const storage = bindings.map(
    ({ name, element, access }, i) => `@group(0) @binding(${i}) var<storage, ${access}> ${name} : array<${element}>;`,
  );
  const fields = names.map(([name, { type }]) => `  ${name} : ${type},`).join('\n');
  return [
    STEP_STRUCT,
    `@group(0) @binding(${bindings.length}) var<uniform> step : Step;`,
    ...(names.length > 0
      ? [`struct Params {\n${fields}\n}`, `@group(0) @binding(${bindings.length + 1}) var<uniform> params : Params;`]
      : []),
    ...storage,
    code,
  ].join('\n');
}
