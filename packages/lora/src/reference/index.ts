/** reference: the model in plain loops and double precision, independent of TFJS. For tests and benches only. */
export { referenceLoss, type ReferenceAdapter, type ReferenceModel, type ReferenceResult } from './llama-f64.ts';
