/** What every layer of one forward and backward pass reads. */
import type { Geometry } from './geometry.ts';
import type { Adapter } from './lora-linear.ts';
import type { Weights } from './weights.ts';

export interface Pass {
  weights: Weights;
  adapter: Adapter;
  geometry: Geometry;
}
