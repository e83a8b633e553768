/** One operation in WebAssembly against its twin. Whatever the operation should write holds NaN before. */
import { type BufferRef, type HostMemory, runTwin } from '../kernels/index.ts';
import { bytesOf, type Operation, readsOf, strideOf, type Value, writesOf } from '../plan/index.ts';
import { MEASURES_BYTES, runOnWasm, type WasmKernels, WasmMemory } from '../wasm/index.ts';

/** What an operation left behind: every value it reads or writes, the trained state and the measures, by name. */
export type Aftermath = Map<string, ArrayLike<number>>;

/** Runs `op` on a copy of `memory`; values that `memory` lacks are NaN. */
export function runInWasm(kernels: WasmKernels, op: Operation, memory: HostMemory): Aftermath {
  const wasm = new WasmMemory(kernels, memory.shape.positions);
  const upload = (ref: BufferRef, values: Float32Array | Int32Array, bytes = values.byteLength) => {
    wasm.allocate(ref, bytes);
    wasm.write(ref, values);
  };
  for (const value of valuesOf(op)) {
    const known = memory.values.get(value.id);
    upload({ of: 'value', value }, known ? Float32Array.from(known) : new Float32Array(bytesOf(value) / 4).fill(NaN));
  }
  for (const [name, values] of memory.stored) upload({ of: 'stored', name }, Float32Array.from(values));
  for (const name of inputNames) upload({ of: 'input', name }, memory.inputs[name]);
  for (const name of stateNames) upload({ of: 'state', name }, Float32Array.from(memory.state[name]));
  upload({ of: 'measures' }, Float32Array.from(memory.measures), MEASURES_BYTES);
  runOnWasm(op, wasm, memory.shape, memory.scalars);
  const after: Aftermath = new Map();
  for (const value of valuesOf(op)) after.set(value.label, wasm.floats({ of: 'value', value }).slice());
  for (const name of stateNames) after.set(name, wasm.floats({ of: 'state', name }).slice());
  return after.set('measures', wasm.floats({ of: 'measures' }).slice());
}

/** Runs `op`'s twin, which changes `memory`; values that `memory` lacks are NaN before, written padding is zero after. */
export function runTwinFully(op: Operation, memory: HostMemory): Aftermath {
  for (const value of valuesOf(op)) {
    if (!memory.values.has(value.id)) memory.values.set(value.id, new Float64Array(bytesOf(value) / 4).fill(NaN));
  }
  runTwin(op, memory);
  for (const { value, column, columns } of writesOf(op)) {
    if (column + columns === value.columns) zeroPadding(value, memory.values.get(value.id)!);
  }
  const after: Aftermath = new Map();
  for (const value of valuesOf(op)) after.set(value.label, memory.values.get(value.id)!);
  for (const name of stateNames) after.set(name, memory.state[name]);
  return after.set('measures', memory.measures);
}

/**
 * The largest difference between the two, in units of the largest value of the same array. Infinite where one of them is
 * NaN and the other is not: something was not written, or should not have been.
 */
export function wasmError(kernels: WasmKernels, op: Operation, memory: HostMemory): number {
  const found = runInWasm(kernels, op, memory);
  const errors = [...runTwinFully(op, memory)].map(([name, expected]) => arrayError(found.get(name)!, expected));
  return Math.max(...errors);
}

const inputNames = ['ids', 'position', 'label', 'weight', 'rowOfPosition'] as const;
const stateNames = ['values', 'gradient', 'firstMoment', 'secondMoment'] as const;

function valuesOf(op: Operation): Value[] {
  return [...new Map([...readsOf(op), ...writesOf(op)].map(({ value }) => [value.id, value])).values()];
}

/** Of rows whose last column was written. */
function zeroPadding(value: Value, array: Float64Array): void {
  const stride = strideOf(value);
  for (let end = value.columns; end < array.length; end += stride) {
    if (!Number.isNaN(array[end - 1]!)) array.fill(0, end, end + stride - value.columns);
  }
}

function arrayError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let size = 1e-30;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [found[i]!, expected[i]!];
    if (Number.isNaN(a) !== Number.isNaN(b)) return Infinity;
    if (Number.isNaN(a)) continue;
    difference = Math.max(difference, Math.abs(a - b));
    size = Math.max(size, Math.abs(b));
  }
  return difference / size;
}
