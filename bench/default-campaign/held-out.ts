/**
 * The campaign's held-out examples, dealt in two: a quarter for the server's gate, half for what a table reports, so that no
 * figure is of data that a decision was made on. Evaluated on TensorFlow.js's WASM backend, as the server does.
 */
import { CausalLm, evaluate, type Evaluation, selectBackend } from '@oneround/lora/evaluation';
import { config, heldOutExamples, layout, spec, tensors } from './volunteers.ts';

export interface HeldOut {
  gate(values: Float32Array): Promise<Evaluation>;
  /** `a`: the A of each module, where it is not the published one. */
  report(values: Float32Array, a?: readonly Float32Array[]): Promise<Evaluation>;
}

/** `weights`: those of the campaign's model, unless an adapter was folded into them. */
export async function openHeldOut(weights = tensors): Promise<HeldOut> {
  await selectBackend('wasm');
  const model = CausalLm.load(config, weights);
  const examples = heldOutExamples();
  const gateExamples = examples.filter((_, i) => i % 4 === 0);
  const reportExamples = examples.filter((_, i) => i % 2 === 1);
  const score = (values: Float32Array, set: typeof examples, a?: readonly Float32Array[]) =>
    evaluate(model, { spec, layout, values, a }, set, { batchSize: 32 });
  return {
    gate: (values) => score(values, gateExamples),
    report: (values, a) => score(values, reportExamples, a),
  };
}
