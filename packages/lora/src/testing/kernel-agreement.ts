/** One operation on a GPU against its twin. Whatever the operation should write holds NaN before. */
import { GpuMemory, MEASURES_BYTES, Pipelines, Recording } from '../device/index.ts';
import {
  type Binding,
  type BufferRef,
  dispatchesOf,
  type FlatState,
  type HostMemory,
  type KernelTraits,
  runTwin,
} from '../kernels/index.ts';
import { bytesOf, type Operation, type Rows, rowCount, strideOf, type View, writesOf } from '../plan/index.ts';
import { installNodeWebgpu } from './node-webgpu.ts';

/** A frozen matrix as bytes, or f32 values. */
export type StoredBytes = ReadonlyMap<string, Uint8Array>;

/** Traits of a device that is told to be like a GPU, or like a program; products then run in the loop meant for it. */
export function kernelTraits(device: GPUDevice, changes: Partial<KernelTraits> = {}): KernelTraits {
  const { isSoftware = true } = changes;
  return {
    isSoftware,
    productLoop: isSoftware ? 'registers' : 'tile',
    maxInvocations: device.limits.maxComputeInvocationsPerWorkgroup,
    formatOf: () => 'F32',
    ...changes,
  };
}

/** Compiled kernels, shared by tests: kernels of one text differ in their params only. */
const pipelines = new WeakMap<GPUDevice, Pipelines>();

function pipelinesOf(device: GPUDevice): Pipelines {
  let known = pipelines.get(device);
  if (!known) pipelines.set(device, (known = new Pipelines(device)));
  return known;
}

/**
 * Runs `op` on `device` and in the twin, which changes `memory`, and gives the largest difference over all that the
 * operation writes, in units of the largest value of the same array. Padding columns must come out as zeros. Where the
 * operation writes into a value that `memory` holds already, the rest of it must be as before.
 * `memory.values` holds what the operation reads; values it lacks are NaN on the device. `packed` has the bytes of
 * matrices that are not stored as f32; `memory.stored` must then hold what those bytes mean.
 */
export async function kernelError(
  device: GPUDevice,
  op: Operation,
  memory: HostMemory,
  traits: KernelTraits,
  packed: StoredBytes = new Map(),
): Promise<number> {
  const dispatches = dispatchesOf(op, traits);
  const gpu = new GpuMemory(device);
  for (const { buffer } of dispatches.flatMap(({ bindings }) => bindings as Binding[])) {
    if (!gpu.has(buffer)) upload(gpu, buffer, memory, packed);
  }
  const recording = await Recording.record(dispatches, gpu, pipelinesOf(device));
  device.pushErrorScope('validation');
  recording.write(memory.shape, memory.scalars);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  recording.replay(pass, memory.shape);
  pass.end();
  device.queue.submit([encoder.finish()]);
  const before = new Set(memory.values.keys());
  runTwin(op, memory);
  const errors: number[] = [];
  for (const view of writesOf(op)) {
    if (!gpu.has({ of: 'value', value: view.value })) continue;
    const found = await download(gpu, { of: 'value', value: view.value });
    errors.push(
      before.has(view.value.id)
        ? arrayError(found, memory.values.get(view.value.id)!)
        : viewError(found, memory, view, rowCount(rowsOf(op), memory.shape)),
    );
  }
  for (const [name, expected] of Object.entries(memory.state)) {
    const ref: BufferRef = { of: 'state', name: name as keyof FlatState };
    if (gpu.has(ref)) errors.push(arrayError(await download(gpu, ref), expected));
  }
  if (gpu.has({ of: 'measures' })) {
    errors.push(arrayError((await download(gpu, { of: 'measures' })).subarray(0, 3), memory.measures));
  }
  const invalid = await device.popErrorScope();
  recording.dispose();
  gpu.dispose();
  if (invalid) throw new Error(`${op.kind}: ${invalid.message}`);
  return Math.max(...errors);
}

function rowsOf(op: Operation): Rows {
  return 'rows' in op ? op.rows : { of: 'positions' };
}

function upload(gpu: GpuMemory, ref: BufferRef, memory: HostMemory, packed: StoredBytes): void {
  const write = (data: Uint8Array | Float32Array | Int32Array, bytes = data.byteLength) => {
    const whole = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
    whole.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    gpu.device.queue.writeBuffer(gpu.allocate(ref, bytes), 0, whole);
  };
  switch (ref.of) {
    case 'value': {
      const known = memory.values.get(ref.value.id);
      return write(known ? Float32Array.from(known) : new Float32Array(bytesOf(ref.value) / 4).fill(NaN));
    }
    case 'stored':
      return write(packed.get(ref.name) ?? Float32Array.from(memory.stored.get(ref.name)!));
    case 'state':
      return write(Float32Array.from(memory.state[ref.name]));
    case 'input':
      return write(memory.inputs[ref.name]);
    case 'measures':
      return write(Float32Array.from(memory.measures), MEASURES_BYTES);
  }
}

async function download(gpu: GpuMemory, ref: BufferRef): Promise<Float32Array> {
  const source = gpu.get(ref);
  const { device } = gpu;
  const staging = device.createBuffer({ size: source.size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, staging, 0, source.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const copy = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return copy;
}

function viewError(
  found: Float32Array,
  memory: HostMemory,
  { value, row, column, columns }: View,
  rows: number,
): number {
  const stride = strideOf(value);
  const expected = memory.values.get(value.id)!;
  const end = column + columns === value.columns ? stride : column + columns;
  const pick = (array: ArrayLike<number>) =>
    Array.from({ length: rows * (end - column) }, (_, i) => {
      const [r, c] = [Math.floor(i / (end - column)), i % (end - column)];
      return array[(row + r) * stride + column + c]!;
    });
  return arrayError(pick(found), pick(expected));
}

/** Largest difference over largest expected value; infinite where something is not finite that should be, or not NaN. */
function arrayError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let size = 1e-30;
  for (let i = 0; i < expected.length; i++) {
    if (!Number.isFinite(expected[i]!) && Object.is(found[i], expected[i])) continue;
    if (!Number.isFinite(found[i]!)) return Infinity;
    difference = Math.max(difference, Math.abs(found[i]! - expected[i]!));
    size = Math.max(size, Math.abs(expected[i]!));
  }
  return difference / size;
}

/**
 * A software adapter's device, for tests.
 * @throws Error with the command that installs what is missing
 */
export async function kernelDevice(): Promise<GPUDevice> {
  await installNodeWebgpu();
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error('kernelDevice: the WebGPU adapter is gone');
  return adapter.requestDevice();
}
