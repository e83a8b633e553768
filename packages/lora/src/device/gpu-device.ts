/**
 * The one GPU device of this process: with the adapter's full limits and the features that kernels can use. TFJS and our
 * kernels share it. Its errors and its loss are heard (`device-health.ts`).
 */
import { BackendError } from './backend-error.ts';
import { isDeviceHealthy, reportDeviceFailure, resetDeviceHealth } from './device-health.ts';
import { Pipelines } from './pipelines.ts';

const wantedLimits = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxBufferSize',
] as const;
const wantedFeatures = ['shader-f16', 'subgroups', 'timestamp-query'] as const;

/** A device and what is known of its adapter. */
export interface GpuDevice {
  device: GPUDevice;
  info: GPUAdapterInfo;
  /** "vendor architecture", or the driver's description when those are empty. */
  name: string;
  /** The adapter is a program on the CPU, many times slower than WASM. */
  isSoftware: boolean;
  /** The most bytes that a kernel can read as one array. */
  bindingBytes: number;
  /** Kernels compiled so far; engines share them. */
  pipelines: Pipelines;
}

let current: GpuDevice | undefined;

/**
 * The adapter of `gpu`, `navigator.gpu` unless told.
 * @throws BackendError `no_webgpu` or `no_adapter`
 */
export async function requestAdapter(gpu: GPU | undefined = globalThis.navigator?.gpu): Promise<GPUAdapter> {
  if (!gpu) throw new BackendError('no_webgpu', 'This browser has no WebGPU, so it cannot train on a GPU.');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter) return adapter;
  throw new BackendError('no_adapter', 'WebGPU found no usable GPU here; a newer browser or driver may help.');
}

/**
 * The device in use, or a new one on `adapter` when there is none or it failed.
 * @throws BackendError `device_failed` when the adapter gives no device
 */
export async function openDevice(adapter: GPUAdapter): Promise<GpuDevice> {
  if (current && isDeviceHealthy()) return current;
  const device = await requestDevice(adapter);
  resetDeviceHealth();
  // What an earlier device still has to say is not this one's failure.
  const isCurrent = () => current?.device === device;
  device.addEventListener('uncapturederror', ({ error }) => {
    if (isCurrent()) reportDeviceFailure(error.message);
  });
  void device.lost.then(({ message }) => {
    if (isCurrent()) reportDeviceFailure(message || 'the device was lost');
  });
  const failed = current;
  const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  current = {
    device,
    info: adapter.info,
    name: adapterName(adapter),
    isSoftware: isSoftware(adapter),
    bindingBytes: Math.min(maxBufferSize, maxStorageBufferBindingSize),
    pipelines: new Pipelines(device),
  };
  failed?.device.destroy();
  return current;
}

/** "vendor architecture", or the driver's description when those are empty. */
export function adapterName({ info }: GPUAdapter): string {
  return `${info.vendor} ${info.architecture}`.trim() || info.description || 'unnamed adapter';
}

/** Whether an adapter is a program on the CPU. */
export function isSoftware(adapter: GPUAdapter): boolean {
  const { architecture, description, isFallbackAdapter } = adapter.info;
  return isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(`${architecture} ${description}`);
}

async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  try {
    return await adapter.requestDevice({
      requiredFeatures: wantedFeatures.filter((feature) => adapter.features.has(feature)),
      requiredLimits: Object.fromEntries(wantedLimits.map((limit) => [limit, adapter.limits[limit]])),
    });
  } catch (cause) {
    throw new BackendError('device_failed', `The GPU gave no device: ${cause instanceof Error ? cause.message : ''}`);
  }
}
