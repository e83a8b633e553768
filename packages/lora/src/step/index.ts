/**
 * step: engines that take training steps, all under one contract - the recorded step on a GPU, the same plan in WebAssembly,
 * and the twin that checks both. A plan says what a step is; an engine carries it out.
 */
export { type BatchModel, type HostBatch, makeHostBatch, roundedLength, scoredCount } from './host-batch.ts';
export { packedPlanBytes, totalBytes } from './memory-plan.ts';
export type { AdamVectors, OpenEngine, StepEngine, StepMeasures, StepSettings, Trained } from './step-engine.ts';
export { twinEngine } from './twin-engine.ts';
export { WasmEngine, wasmEngine } from './wasm-engine.ts';
export { WebgpuEngine, webgpuEngine, type WebgpuOptions } from './webgpu-engine.ts';
export type { TuningStore } from './tuning.ts';
export { openWeights, type WeightSource, weightsInMemory } from './weight-source.ts';
export { workloadOf } from './workload.ts';
