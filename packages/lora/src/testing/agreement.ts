/** The comparison that every backend must pass: loss and LoRA gradient of TFJS against the f64 reference. */
import type { LoraSpec } from '../adapter/index.ts';
import { type CausalLm, disposeGeometry, embed, forward, logitsAt, LoraAdapter, makeGeometry } from '../model/index.ts';
import { dispose, slice, tensor1d, tidy } from '../tensor/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';
import { disposeBatch, makeBatch } from '../evaluation/batch.ts';
import { lossAndGradient } from '../evaluation/loss-and-gradient.ts';

/** Loss and flat gradient of one batch on the current backend. */
export async function lossAndGradientOnBackend(
  model: CausalLm,
  spec: LoraSpec,
  values: Float32Array,
  examples: readonly EncodedExample[],
  a?: readonly Float32Array[],
): Promise<{ loss: number; gradient: Float32Array }> {
  const adapter = new LoraAdapter(model.config, spec, a);
  const batch = makeBatch(model.config, examples);
  const geometry = makeGeometry(model.config, batch.rows, batch.positions);
  const flat = tensor1d(values.slice());
  const result = lossAndGradient(model, adapter, flat, batch, geometry);
  const [loss, gradient] = await Promise.all([result.loss.data(), result.gradient.data()]);
  dispose([result.loss, result.gradient, flat]);
  disposeGeometry(geometry);
  disposeBatch(batch);
  adapter.dispose();
  return { loss: loss[0]!, gradient: Float32Array.from(gradient) };
}

/** Logits of every position, `[B, T, V]`, on the current backend; all rows have the same length. */
export async function logitsOnBackend(
  { config, weights }: CausalLm,
  adapter: { spec: LoraSpec; values: Float32Array; a: readonly Float32Array[] } | null,
  examples: readonly EncodedExample[],
): Promise<Float32Array> {
  const positions = examples[0]!.ids.length;
  const geometry = makeGeometry(config, examples.length, positions);
  const lora = adapter && new LoraAdapter(config, adapter.spec, adapter.a);
  const logits = tidy(() => {
    const pass = { weights, adapter: lora?.modules(tensor1d(adapter!.values)) ?? {}, geometry };
    const ids = tensor1d(Int32Array.from(examples.flatMap((row) => [...row.ids])), 'int32');
    const hidden = forward(config, pass, embed(config, weights, ids, geometry));
    const everywhere = tensor1d(
      Int32Array.from({ length: ids.size }, (_, i) => i),
      'int32',
    );
    return slice(logitsAt(config, weights, hidden, everywhere), [0, 0], [-1, config.vocabSize]);
  });
  const values = await logits.data();
  logits.dispose();
  lora?.dispose();
  disposeGeometry(geometry);
  return Float32Array.from(values);
}

/** Largest difference in units of the largest expected value. */
export function largestError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(found[i]! - expected[i]!));
    size = Math.max(size, Math.abs(expected[i]!));
  }
  return difference / size;
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
