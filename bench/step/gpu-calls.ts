/** Counts what a contender asks of WebGPU, by wrapping the API's prototypes. The counts are the same on every adapter. */

export interface GpuCalls {
  dispatches: number;
  passes: number;
  submits: number;
  bindGroups: number;
  buffers: number;
  /** Most bytes in buffers that were made and not destroyed. */
  peakBytes: number;
}

/** Call it once, before the contender starts. `take` gives the counts since the last `take`; the bytes go on living. */
export function countGpuCalls(): { take(): GpuCalls } {
  let live = 0;
  const none = () => ({ dispatches: 0, passes: 0, submits: 0, bindGroups: 0, buffers: 0, peakBytes: live });
  let calls: GpuCalls = none();
  type Counted = Exclude<keyof GpuCalls, 'peakBytes'>;
  function count<T extends object, K extends keyof T>(prototype: T, method: K, counter: Counted) {
    const original = prototype[method] as (...given: unknown[]) => unknown;
    prototype[method] = function (this: T, ...given: unknown[]) {
      calls[counter]++;
      return original.apply(this, given);
    } as T[K];
  }
  count(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', 'dispatches');
  count(GPUComputePassEncoder.prototype, 'dispatchWorkgroupsIndirect', 'dispatches');
  count(GPUCommandEncoder.prototype, 'beginComputePass', 'passes');
  count(GPUQueue.prototype, 'submit', 'submits');
  count(GPUDevice.prototype, 'createBindGroup', 'bindGroups');

  const bytes = new WeakMap<GPUBuffer, number>();
  const device = GPUDevice.prototype;
  const buffer = GPUBuffer.prototype;
  const { createBuffer } = device;
  const { destroy } = buffer;
  device.createBuffer = function (descriptor) {
    const made = createBuffer.call(this, descriptor);
    bytes.set(made, descriptor.size);
    live += descriptor.size;
    calls.buffers++;
    calls.peakBytes = Math.max(calls.peakBytes, live);
    return made;
  };
  buffer.destroy = function () {
    live -= bytes.get(this) ?? 0;
    bytes.delete(this);
    return destroy.call(this);
  };
  return {
    take() {
      const taken = calls;
      calls = none();
      return taken;
    },
  };
}
