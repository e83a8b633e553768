/** Buffers that results come back through: taken, copied into, read, and used again, so that no step makes a new one. */
import { assertDeviceHealthy, BackendError } from '../device/index.ts';

export class StagingBuffers {
  readonly #device: GPUDevice;
  readonly #free: GPUBuffer[] = [];
  readonly #all = new Set<GPUBuffer>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A buffer of exactly `bytes` that nobody else uses until it was read. */
  take(bytes: number): GPUBuffer {
    const index = this.#free.findIndex(({ size }) => size === bytes);
    if (index >= 0) return this.#free.splice(index, 1)[0]!;
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    const buffer = this.#device.createBuffer({ label: 'staging', size: bytes, usage });
    this.#all.add(buffer);
    return buffer;
  }

  /** What was copied into the buffer by the work submitted so far. @throws BackendError `device_failed` */
  async read(buffer: GPUBuffer): Promise<Float32Array> {
    try {
      await buffer.mapAsync(GPUMapMode.READ);
    } catch (cause) {
      assertDeviceHealthy();
      throw new BackendError('device_failed', `The GPU gave no result: ${cause instanceof Error ? cause.message : ''}`);
    }
    assertDeviceHealthy();
    const copy = new Float32Array(buffer.getMappedRange().slice(0));
    buffer.unmap();
    this.#free.push(buffer);
    return copy;
  }

  dispose(): void {
    for (const buffer of this.#all) buffer.destroy();
    this.#all.clear();
  }
}
