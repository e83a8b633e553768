/** The WebGPU backend on a device of our own, so that its errors and its loss are heard. Imported only when used. */
import { findBackendFactory, removeBackend, registerBackend, setBackend } from '@tensorflow/tfjs-core';
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { BackendError } from './backend-error.ts';
import { assertDeviceHealthy, reportDeviceFailure, resetDeviceHealth } from './device-health.ts';
import { installSplitKFix } from './split-k-fix.ts';

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

let running: WebGPUBackend | undefined;

/**
 * Makes WebGPU current on `adapter`; a healthy device from an earlier call is kept, with its tensors.
 * @throws BackendError `device_failed` when the adapter gives no device
 */
export async function startWebgpu(adapter: GPUAdapter): Promise<void> {
  if (!running || !isHealthy()) running = await replaceBackend(adapter);
  await setBackend('webgpu');
}

async function replaceBackend(adapter: GPUAdapter): Promise<WebGPUBackend> {
  const device = await requestDevice(adapter);
  resetDeviceHealth();
  device.addEventListener('uncapturederror', ({ error }) => reportDeviceFailure(error.message));
  void device.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') reportDeviceFailure(message || 'the device was lost');
  });
  const backend = new WebGPUBackend(device, adapter.info);
  // The package registers a device of its own on import in a browser; kernels are keyed by the name, so it must be this one.
  if (findBackendFactory('webgpu')) removeBackend('webgpu');
  registerBackend('webgpu', () => backend, 3);
  installSplitKFix();
  return backend;
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

function isHealthy(): boolean {
  try {
    assertDeviceHealthy();
    return true;
  } catch {
    return false;
  }
}
