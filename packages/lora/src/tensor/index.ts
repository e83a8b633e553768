/**
 * tensor: everything that knows TensorFlow.js - its operations, its two backends and the repairs they need.
 * The wasm and webgpu files, and what they need, are imported lazily: by `backend.ts` and `stored-weights.ts`.
 */
export { type BackendChoice, type BackendName, type BackendOptions, selectBackend } from './backend.ts';
export { BackendError, type BackendErrorCode } from '../device/index.ts';
export type { HeapTensor } from './heap-tensor.ts';
export type { PackedUpload } from './packed-upload.ts';
export { openHeapTensor, openPackedUpload } from './stored-weights.ts';
export { assertDeviceHealthy } from '../device/index.ts';
export * from './ops.ts';
