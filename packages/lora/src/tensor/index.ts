/**
 * tensor: everything that knows TensorFlow.js - its operations, its two backends and the repairs they need.
 * The wasm and webgpu files are imported lazily by `backend.ts` and by nobody else.
 */
export { type BackendChoice, type BackendName, type BackendOptions, selectBackend } from './backend.ts';
export { BackendError, type BackendErrorCode } from './backend-error.ts';
export { assertDeviceHealthy } from './device-health.ts';
export * from './ops.ts';
