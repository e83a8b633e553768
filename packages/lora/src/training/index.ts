/**
 * training: choose a backend, load a model, train an adapter, evaluate it. The package's TFJS side; runs in a browser's
 * worker or in a Node worker thread, never on a page's main thread or in the server's.
 */
export { CausalLm } from '../model/index.ts';
export {
  type BackendChoice,
  BackendError,
  type BackendErrorCode,
  type BackendName,
  type BackendOptions,
  selectBackend,
} from '../tensor/index.ts';
export {
  type AdapterValues,
  type DomainEvaluation,
  evaluate,
  type Evaluation,
  logLikelihoods,
  uploadAdapter,
} from './evaluate.ts';
export { LoraTrainer, type LoraTrainerOptions } from './lora-trainer.ts';
export type { StepReport, TrainerCheckpoint, TrainingSettings } from './settings.ts';
export { TrainingError, type TrainingErrorCode } from './training-error.ts';
