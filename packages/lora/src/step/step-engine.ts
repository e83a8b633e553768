/** What trains: something that holds a model, an adapter's trained values and an optimiser's moments, and takes steps. */
import type { StepScalars } from '../kernels/index.ts';
import type { HostBatch } from './host-batch.ts';

/** What a step tells. */
export interface StepMeasures {
  /** Mean over the scored tokens, in nats, before the update. */
  loss: number;
  /** L2 norm over all trained values, before clipping. */
  gradientNorm: number;
}

/** The trained values and AdamW's running means of gradient and squared gradient, flat, in layout order. */
export interface AdamVectors {
  values: Float32Array;
  firstMoment: Float32Array;
  secondMoment: Float32Array;
}

export type StepSettings = Omit<StepScalars, 'accumulates'>;

/** One contract, kept by every engine: the same batches give the same bits on the same engine. */
export interface StepEngine {
  /**
   * Takes one optimiser step over the sum of `batches`, whose weights add up to one. A loss or gradient that is not finite
   * leaves the vectors as they were; the measures tell.
   * @throws BackendError `device_failed` when the GPU reported an error
   */
  step(batches: readonly HostBatch[], settings: StepSettings): Promise<StepMeasures>;
  /** Copies of the vectors after all steps so far. */
  vectors(): Promise<AdamVectors>;
  dispose(): void;
}
