/** The buffers of one training step, by what they hold. Values that are never alive together may share a buffer. */
import { type BufferRef, PARTIAL_SUMS } from '../kernels/index.ts';
import type { Value } from '../plan/index.ts';

/** Bytes of the measures buffer: loss, gradient norm, the mark of a step that was not finite, one to spare, partial sums. */
export const MEASURES_BYTES = 4 * (4 + PARTIAL_SUMS);

/** Name of what a reference holds; values are named by their slot. */
function keyOf(ref: BufferRef, slotOf: (value: Value) => number): string {
  switch (ref.of) {
    case 'value':
      return `slot:${slotOf(ref.value)}`;
    case 'measures':
      return 'measures';
    default:
      return `${ref.of}:${ref.name}`;
  }
}

/** Makes buffers, hands them out, counts their bytes and destroys them. */
export class GpuMemory {
  readonly device: GPUDevice;
  readonly #slotOf: (value: Value) => number;
  readonly #buffers = new Map<string, GPUBuffer>();

  /** `slotOf` says which values share a buffer; each has its own when absent. */
  constructor(device: GPUDevice, slotOf: (value: Value) => number = ({ id }) => id) {
    this.device = device;
    this.#slotOf = slotOf;
  }

  /** Bytes of all buffers. */
  get bytes(): number {
    return [...this.#buffers.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** A new buffer for `ref`, zeroed, replacing none. Sizes are rounded up to whole words. */
  allocate(ref: BufferRef, bytes: number): GPUBuffer {
    return this.#create(keyOf(ref, this.#slotOf), bytes);
  }

  /** The buffer that the values of a slot share. */
  allocateSlot(slot: number, bytes: number): void {
    this.#create(`slot:${slot}`, bytes);
  }

  /** The buffer of `ref`. @throws RangeError when it was not allocated: a programming error */
  get(ref: BufferRef): GPUBuffer {
    const key = keyOf(ref, this.#slotOf);
    const buffer = this.#buffers.get(key);
    if (!buffer) throw new RangeError(`GpuMemory: ${key} was not allocated`);
    return buffer;
  }

  has(ref: BufferRef): boolean {
    return this.#buffers.has(keyOf(ref, this.#slotOf));
  }

  /** Destroys every buffer. */
  dispose(): void {
    for (const buffer of this.#buffers.values()) buffer.destroy();
    this.#buffers.clear();
  }

  #create(key: string, bytes: number): GPUBuffer {
    if (this.#buffers.has(key)) throw new RangeError(`GpuMemory: ${key} is there already`);
    const buffer = this.device.createBuffer({
      label: key,
      size: Math.max(16, Math.ceil(bytes / 4) * 4),
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.#buffers.set(key, buffer);
    return buffer;
  }
}
