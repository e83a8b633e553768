/** What takes part in the step bench, and how it is told what to do. */
import type { StepShape, Trained } from './shape.ts';
import type { StepBatch, StepWeights } from './weights.ts';

export type Backend = 'webgpu' | 'wasm';

/** One implementation of the training step, in a process or page of its own. */
export interface StepContender {
  /** Which halves of the adapter it trains, when asked for a shape's `trained`; some can do less. */
  readonly trains: Trained;
  /** Uploads the weights and does all that precedes the first step. */
  start(shape: StepShape, weights: StepWeights): Promise<void>;
  /** One forward, backward and Adam update; the mean loss before the update, in nats a token, read back. */
  step(batch: StepBatch): Promise<number>;
  dispose(): void;
}

/** Every contender, in the table's order, with the name it has there. */
export const contenderNames = {
  tfjs: 'TFJS 4.22, stock',
  jax: 'jax-js 0.1.25',
  'ours-tfjs': 'ours, TFJS path',
  ours: 'ours',
} as const;

export type ContenderId = keyof typeof contenderNames;

export const contenderIds = Object.keys(contenderNames) as ContenderId[];

/** The contender that the targets are for. */
export const OURS: ContenderId = 'ours';

/** A contender's code is loaded only when it runs: TFJS and jax-js change the process that imports them. */
export async function openContender(id: ContenderId, backend: Backend, trained: Trained): Promise<StepContender> {
  switch (id) {
    case 'tfjs':
      return new (await import('./contender-tfjs.ts')).TfjsContender(backend, trained);
    case 'jax':
      return new (await import('./contender-jax.ts')).JaxContender(backend, trained);
    case 'ours-tfjs':
      return new (await import('./contender-ours-tfjs.ts')).OursTfjsContender(backend);
    case 'ours':
      return new (await import('./contender-ours.ts')).OursContender(backend, trained);
  }
}
