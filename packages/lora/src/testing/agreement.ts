/** The comparison that every backend must pass: loss and LoRA gradient of TFJS against the f64 reference. */
import type { LoraSpec } from '../adapter/index.ts';
import { type CausalLm, LoraAdapter, makeGeometry } from '../model/index.ts';
import { dispose, tensor1d } from '../tensor/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';
import { disposeBatch, makeBatch } from '../training/batch.ts';
import { lossAndGradient } from '../training/loss-and-gradient.ts';

/** Loss and flat gradient of one batch on the current backend. */
export async function lossAndGradientOnBackend(
  model: CausalLm,
  spec: LoraSpec,
  values: Float32Array,
  examples: readonly EncodedExample[],
): Promise<{ loss: number; gradient: Float32Array }> {
  const adapter = new LoraAdapter(model.config, spec);
  const batch = makeBatch(examples);
  const geometry = makeGeometry(model.config, batch.rows, batch.positions);
  const flat = tensor1d(values.slice());
  const result = lossAndGradient(model, adapter, flat, batch, geometry);
  const [loss, gradient] = await Promise.all([result.loss.data(), result.gradient.data()]);
  dispose([result.loss, result.gradient, flat, geometry.mask, geometry.rotary.cos, geometry.rotary.sin]);
  disposeBatch(batch);
  adapter.dispose();
  return { loss: loss[0]!, gradient: Float32Array.from(gradient) };
}

/** Length of the difference over the length of the reference: 0 is equality, 1 is unrelated. */
export function relativeError(found: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (found.length !== reference.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < reference.length; i++) {
    difference += (found[i]! - reference[i]!) ** 2;
    size += reference[i]! ** 2;
  }
  return Math.sqrt(difference / size);
}
