/**
 * model: the decoder, forward and backward, and its adapter. Knows tensors; knows neither batches nor optimisers.
 */
export { CausalLm } from './causal-lm.ts';
export { embed, forward, forwardForTraining, type Geometry, makeGeometry } from './llama.ts';
export { type LayerAdapter, LoraAdapter } from './lora-adapter.ts';
export { labelLosses, logitsAt, scoredLoss, type ScoredPositions } from './scored-head.ts';
