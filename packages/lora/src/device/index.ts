/**
 * device: the GPU device, its health, its buffers, compiled kernels and recorded launches. Knows kernels as text, no model
 * and no TFJS.
 */
export { BackendError, type BackendErrorCode } from './backend-error.ts';
export { assertDeviceHealthy, reportDeviceFailure } from './device-health.ts';
export { underErrorScopes } from './error-scopes.ts';
export { adapterName, type GpuDevice, isSoftware, openDevice, requestAdapter } from './gpu-device.ts';
export { GpuMemory, MEASURES_BYTES } from './gpu-memory.ts';
export { Pipelines } from './pipelines.ts';
export { Recording } from './recording.ts';
