/**
 * The arrays of one training step in a WebAssembly memory of its own, by what they hold; the counterpart of `GpuMemory`.
 * Nothing is freed but all at once: a plan says at the start what it needs.
 */
import { BackendError } from '../device/index.ts';
import type { BufferRef } from '../kernels/index.ts';
import type { Value } from '../plan/index.ts';
import type { KernelExports, WasmKernels } from './wasm-kernels.ts';

const PAGE = 65_536;
/** Arrays begin at whole cache lines. */
const LINE = 64;
/** Kernels take address 0 for "none"; what the compiler keeps for itself lies below. */
const FIRST = 4096;
/** Bytes of loss, gradient norm and whether a step was not finite. */
export const MEASURES_BYTES = 12;

interface Region {
  begin: number;
  bytes: number;
}

/** Hands out arrays, all f32 or i32. Views are of the moment: the next allocation may detach them. */
export class WasmMemory {
  readonly kernels: KernelExports;
  /** Where kernels keep what they need for themselves. */
  readonly scratch: number;
  /** Positions of the longest row that fits in scratch. */
  readonly positions: number;
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  readonly #slotOf: (value: Value) => number;
  readonly #regions = new Map<string, Region>();
  #end = FIRST;

  /** `slotOf` says which values share an array; each has its own when absent. @throws BackendError `out_of_memory` */
  constructor({ module }: WasmKernels, positions: number, slotOf: (value: Value) => number = ({ id }) => id) {
    this.#slotOf = slotOf;
    this.positions = positions;
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.kernels = exports as unknown as KernelExports;
    this.scratch = this.#take(this.kernels.attentionScratchBytes(positions)).begin;
  }

  /** Bytes of the whole memory. */
  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** An array for `ref`, zeroed, replacing none. @throws BackendError `out_of_memory` */
  allocate(ref: BufferRef, bytes: number): void {
    this.#add(this.#keyOf(ref), bytes);
  }

  /** The array that the values of a slot share. @throws BackendError `out_of_memory` */
  allocateSlot(slot: number, bytes: number): void {
    this.#add(`slot:${slot}`, bytes);
  }

  has(ref: BufferRef): boolean {
    return this.#regions.has(this.#keyOf(ref));
  }

  /** The address of `ref`. */
  pointer(ref: BufferRef): number {
    return this.#region(ref).begin;
  }

  /** The array of `ref`; writes go through. Not to be kept over an allocation. */
  floats(ref: BufferRef): Float32Array<ArrayBuffer> {
    const { begin, bytes } = this.#region(ref);
    return new Float32Array(this.#memory.buffer, begin, Math.floor(bytes / 4));
  }

  /** Copies `values` to `ref`, from its element `at` on. @throws RangeError when they do not fit */
  write(ref: BufferRef, values: Float32Array | Int32Array, at = 0): void {
    const { begin, bytes } = this.#region(ref);
    const from = 4 * at;
    if (from + values.byteLength > bytes) {
      throw new RangeError(`WasmMemory: ${values.length} values at ${at} do not fit in ${this.#keyOf(ref)}`);
    }
    const source = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    new Uint8Array(this.#memory.buffer, begin + from, values.byteLength).set(source);
  }

  #keyOf(ref: BufferRef): string {
    if (ref.of === 'value') return `slot:${this.#slotOf(ref.value)}`;
    return ref.of === 'measures' ? 'measures' : `${ref.of}:${ref.name}`;
  }

  #region(ref: BufferRef): Region {
    const region = this.#regions.get(this.#keyOf(ref));
    if (!region) throw new RangeError(`WasmMemory: ${this.#keyOf(ref)} was not allocated`);
    return region;
  }

  #add(key: string, bytes: number): void {
    if (this.#regions.has(key)) throw new RangeError(`WasmMemory: ${key} is there already`);
    this.#regions.set(key, this.#take(bytes));
  }

  #take(bytes: number): Region {
    const begin = this.#end;
    const end = begin + Math.ceil(bytes / LINE) * LINE;
    const missing = Math.ceil((end - this.bytes) / PAGE);
    if (missing > 0) this.#grow(missing, end);
    this.#end = end;
    return { begin, bytes };
  }

  #grow(pages: number, needed: number): void {
    try {
      this.#memory.grow(pages);
    } catch {
      const mebibytes = Math.round(needed / 2 ** 20);
      throw new BackendError(
        'out_of_memory',
        `Training takes more than ${mebibytes} MiB of memory, which could not be had; a smaller model or batch is needed here.`,
      );
    }
  }
}
