/** The two ways of a stored weight to a float32 tensor. Each backend's way is fetched only when it is used. */
import type { HeapTensor } from './heap-tensor.ts';
import type { PackedUpload } from './packed-upload.ts';

/** For WebGPU: room on the GPU for a tensor's bytes as stored. @throws BackendError `tensor_too_large` */
export async function openPackedUpload(bytes: number): Promise<PackedUpload> {
  return new (await import('./packed-upload.ts')).PackedUpload(bytes);
}

/** For WASM: a tensor of `shape` to be filled with values. */
export async function openHeapTensor(shape: number[]): Promise<HeapTensor> {
  return new (await import('./heap-tensor.ts')).HeapTensor(shape);
}
