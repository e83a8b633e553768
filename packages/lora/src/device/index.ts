/** device: a WebGPU device's buffers, compiled kernels and recorded launches. Knows kernels as text, no model and no TFJS tensor. */
export { GpuMemory, MEASURES_BYTES, valueBytes } from './gpu-memory.ts';
export { Pipelines } from './pipelines.ts';
export { Recording } from './recording.ts';
