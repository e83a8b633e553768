/** TFJS's WebGPU backend on our own device. Imported only when used. */
import { findBackendFactory, removeBackend, registerBackend, setBackend } from '@tensorflow/tfjs-core';
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { type GpuDevice, openDevice } from '../device/index.ts';
import { installSplitKFix } from './split-k-fix.ts';

let running: { backend: WebGPUBackend; gpu: GpuDevice } | undefined;

/**
 * Makes WebGPU current on `adapter`; a healthy device from an earlier call is kept, with its tensors.
 * @throws BackendError `device_failed` when the adapter gives no device
 */
export async function startWebgpu(adapter: GPUAdapter): Promise<void> {
  const gpu = await openDevice(adapter);
  if (running?.gpu !== gpu) running = { gpu, backend: replaceBackend(gpu) };
  await setBackend('webgpu');
}

function replaceBackend({ device, info }: GpuDevice): WebGPUBackend {
  const backend = new WebGPUBackend(device, info);
  // The package registers a device of its own on import in a browser; kernels are keyed by the name, so it must be this one.
  if (findBackendFactory('webgpu')) removeBackend('webgpu');
  registerBackend('webgpu', () => backend, 3);
  installSplitKFix();
  return backend;
}
