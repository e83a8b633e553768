/** What trains: something that holds a model, an adapter's trained values and an optimiser's moments, and takes steps. */
import type { LoraSpec } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import type { StepScalars } from '../kernels/index.ts';
import type { TrainedKind } from '../plan/index.ts';
import type { HostBatch } from './host-batch.ts';
import type { FrozenA } from './weight-source.ts';
import type { Workload } from './workload.ts';

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

/** One contract, kept by every engine: on one device the same batches give the same bits. */
export interface StepEngine {
  /** Largest number of rows that one batch may have; a step of more rows is given as several batches. */
  readonly batchRows: number;
  /** Whether steps run beside the caller, so that starting one before the last has ended gains something. */
  readonly overlaps: boolean;
  /**
   * Takes one optimiser step over the sum of `batches`, whose weights add up to one. A loss or gradient that is not finite
   * leaves the vectors as they were, then and in all later steps; the measures tell. A step may be asked for while an
   * earlier one is still running.
   * @throws BackendError `device_failed` when the GPU reported an error
   */
  step(batches: readonly HostBatch[], settings: StepSettings): Promise<StepMeasures>;
  /** Copies of the vectors after all steps so far. */
  vectors(): Promise<AdamVectors>;
  dispose(): void;
}

/** What is trained: an adapter, kinds of the model's own tensors, or both. */
export interface Trained {
  spec: LoraSpec | null;
  alsoTrains?: readonly TrainedKind[];
}

/** What an engine is opened with. */
export interface EngineParts extends Trained {
  config: ModelConfig;
  frozenA: FrozenA;
  /** Taken over: where training begins. */
  vectors: AdamVectors;
  workload: Workload;
}

/** Opens an engine of one kind; made by `webgpuEngine`, `wasmEngine`, ... */
export type OpenEngine = (parts: EngineParts) => Promise<StepEngine>;
