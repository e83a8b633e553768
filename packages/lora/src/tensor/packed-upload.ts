/**
 * Stored weights to float32 tensors on the GPU, without a float copy in JavaScript: the bytes are written into one buffer
 * as they are, and a kernel expands them into the tensor (docs/packed-models.md has the layouts). Imported only when used.
 *
 * R rows and C columns; K blocks of 64 columns in a row, the last one padded. Every layout but F32 is read in words of
 * 32 bits, little-endian, as WebGPU has them.
 */
import { backend, engine, tensor, type Tensor } from '@tensorflow/tfjs-core';
import { webgpu_util, type WebGPUBackend, type WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import { BackendError } from '../device/index.ts';
import type { StoredFormat } from '../packing/index.ts';
import { assertDeviceHealthy } from '../device/index.ts';

/** The value at `index` of the tensor, as WGSL. */
const valueAt: Record<StoredFormat, string> = {
  F32: 'bitcast<f32>(word(index))',
  F16: 'half(index)',
  BF16: 'bitcast<f32>((word(index / 2) >> (u32(index % 2) * 16u)) << 16u)',
  int8: 'f32(extractBits(bitcast<i32>(word(padded / 4)), u32(padded % 4) * 8u, 8u)) * scale',
  int4: '(f32(extractBits(word(padded / 8), u32(padded % 8) * 4u, 4u)) - 8.0) * scale',
};

/** One invocation for each value. `scalesAt`: where the scales begin, in halves of words. */
class ExpandProgram implements WebGPUProgram {
  variableNames = ['stored'];
  uniforms = 'columns : i32, blocks : i32, scalesAt : i32,';
  workgroupSize: [number, number, number] = [64, 1, 1];
  size = true;
  shaderKey: string;
  outputShape: number[];
  dispatchLayout: { x: number[] };
  dispatch: [number, number, number];
  readonly #format: StoredFormat;

  constructor(format: StoredFormat, shape: number[]) {
    this.#format = format;
    this.shaderKey = `oneround_expand_${format}`;
    this.outputShape = shape;
    this.dispatchLayout = webgpu_util.flatDispatchLayout(this.outputShape);
    this.dispatch = webgpu_util.computeDispatch(this.dispatchLayout, this.outputShape, this.workgroupSize);
  }

  getUserCode(): string {
    const scaled = `
      let row = index / uniforms.columns;
      let column = index % uniforms.columns;
      let padded = row * uniforms.blocks * 64 + column;
      let scale = half(uniforms.scalesAt + row * uniforms.blocks + column / 64);`;
    const hasScales = this.#format === 'int8' || this.#format === 'int4';
    return `
      fn word(at : i32) -> u32 { return bitcast<u32>(stored[at]); }
      fn half(at : i32) -> f32 { return unpack2x16float(word(at / 2))[at % 2]; }
      fn main(index : i32) {
        if (index >= uniforms.size) { return; }
        ${hasScales ? scaled : ''}
        result[index] = ${valueAt[this.#format]};
      }`;
  }
}

/** Bytes that may be on their way to the GPU before anybody waits: each exists once more in the browser meanwhile. */
const MOST_UNSETTLED_BYTES = 64 * 2 ** 20;
let unsettledBytes = 0;

/** A stored tensor on its way: write all of its bytes, then expand. WebGPU must be the backend in use. */
export class PackedUpload {
  readonly #gpu = backend() as WebGPUBackend;
  readonly #bytes: number;
  readonly #buffer: GPUBuffer;

  /** Makes room for `bytes`. @throws BackendError `tensor_too_large` when the GPU cannot bind as many at once */
  constructor(bytes: number) {
    this.#bytes = wholeWords(bytes);
    assertBindable(this.#gpu.device, this.#bytes);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    this.#buffer = this.#gpu.device.createBuffer({ size: this.#bytes, usage });
  }

  /** Puts bytes in place. Offsets are multiples of 4, and so are lengths, except that of the last bytes. */
  write(offset: number, bytes: Uint8Array): void {
    const whole = bytes.byteLength - (bytes.byteLength % 4);
    this.#gpu.queue.writeBuffer(this.#buffer, offset, bytes as Uint8Array<ArrayBuffer>, 0, whole);
    if (whole === bytes.byteLength) return;
    const rest = new Uint8Array(4);
    rest.set(bytes.subarray(whole));
    this.#gpu.queue.writeBuffer(this.#buffer, offset + whole, rest);
  }

  /**
   * The float32 tensor of `shape` (`[R, C]` where there are scales, which begin at byte `scalesAt`).
   * @throws BackendError `tensor_too_large`; `device_failed` once the GPU has failed
   */
  async expand(format: StoredFormat, shape: number[], scalesAt: number): Promise<Tensor> {
    const size = shape.reduce((product, n) => product * n, 1);
    assertBindable(this.#gpu.device, size * Float32Array.BYTES_PER_ELEMENT);
    const columns = shape.at(-1) ?? 1;
    const stored = tensor({ buffer: this.#buffer, zeroCopy: true }, [this.#bytes / 4], 'int32');
    const uniforms = [columns, Math.ceil(columns / 64), scalesAt / 2].map((n) => ({ type: 'int32', data: [n] }));
    const out = this.#gpu.runWebGPUProgram(new ExpandProgram(format, shape), [stored], 'float32', uniforms);
    // Submitted now, so that the packed bytes can go at once.
    this.#gpu.endComputePassEncoder();
    this.#gpu.submitQueue();
    stored.dispose();
    this.dispose();
    const expanded = engine().makeTensorFromTensorInfo(out, this.#gpu);
    unsettledBytes += this.#bytes;
    if (unsettledBytes > MOST_UNSETTLED_BYTES) {
      unsettledBytes = 0;
      await this.#gpu.queue.onSubmittedWorkDone();
    }
    assertDeviceHealthy();
    return expanded;
  }

  /** Gives the packed bytes' room back; whatever was submitted still finishes. */
  dispose(): void {
    this.#buffer.destroy();
  }
}

function assertBindable({ limits }: GPUDevice, bytes: number): void {
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  if (bytes <= most) return;
  const [needed, allowed] = [bytes, most].map((n) => Math.round(n / 2 ** 20));
  throw new BackendError(
    'tensor_too_large',
    `A tensor of this model takes ${needed} MiB on the GPU, which reads ${allowed} MiB at once; a smaller model is needed here.`,
  );
}

function wholeWords(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
