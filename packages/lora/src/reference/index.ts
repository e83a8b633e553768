/** reference: the model in plain loops and double precision, independent of TFJS. For tests and benches only. */
export {
  referenceLogits,
  referenceLoss,
  type ReferenceAdapter,
  type ReferenceModel,
  type ReferenceResult,
} from './decoder-f64.ts';
