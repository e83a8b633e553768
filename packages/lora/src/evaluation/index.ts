/**
 * evaluation: TFJS's side - choose its backend, load a model, score it; and the plain way of training, which checks the
 * recorded step.
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
export { tfjsEngine } from './tfjs-engine.ts';
