/**
 * model: the decoder, forward and backward, and its adapter. Knows tensors; knows neither batches nor optimisers.
 */
export { CausalLm } from './causal-lm.ts';
export { embed, forward, forwardForTraining } from './decoder.ts';
export { disposeGeometry, type Geometry, makeGeometry } from './geometry.ts';
export { KeyValueCache } from './key-value-cache.ts';
export { LoraAdapter } from './lora-adapter.ts';
export type { Adapter } from './lora-linear.ts';
export { labelLosses, logitsAt, scoredLoss, type ScoredPositions } from './scored-head.ts';
