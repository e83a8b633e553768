/**
 * The campaign's held-out examples, dealt in two: a quarter for the server's gate, half for what the table reports, so that no
 * figure is of data that a decision was made on. Evaluated on TensorFlow.js's WASM backend, as the server does.
 */
import { CausalLm, evaluate, type Evaluation, selectBackend } from '@oneround/lora/evaluation';
import { config, heldOutExamples, layout, spec, tensors } from './volunteers.ts';

export interface HeldOut {
  gate(values: Float32Array): Promise<Evaluation>;
  report(values: Float32Array): Promise<Evaluation>;
}

export async function openHeldOut(): Promise<HeldOut> {
  await selectBackend('wasm');
  const model = CausalLm.load(config, tensors);
  const examples = heldOutExamples();
  const gateExamples = examples.filter((_, i) => i % 4 === 0);
  const reportExamples = examples.filter((_, i) => i % 2 === 1);
  const score = (values: Float32Array, set: typeof examples) =>
    evaluate(model, { spec, layout, values }, set, { batchSize: 32 });
  return {
    gate: (values) => score(values, gateExamples),
    report: (values) => score(values, reportExamples),
  };
}
