/**
 * The model in plain loops and double precision: what every backend is checked against.
 * Nothing here is fast, shared with the tensor code, or clever. Rows are computed one by one, without padding; backward is
 * the derivative of each line above it, and is itself checked by finite differences.
 *
 * Shapes: T positions, D hidden, F intermediate, H query heads in K groups, C channels a head, R rank. Matrices are
 * row-major Float64Array; weights `[out, in]` as in the checkpoint.
 */
import { adaptedModules, type LoraSpec, moduleName, publishedA, type TargetModule } from '../adapter/index.ts';
import type { LlamaConfig, TensorEntry } from '../checkpoint/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';
import {
  adapted,
  attention,
  linear,
  linearBackward,
  type LoraPair,
  rmsNorm,
  rotate,
  softmax,
  sumOf,
  swiglu,
  type Vector,
} from './layers-f64.ts';

export interface ReferenceModel {
  config: LlamaConfig;
  tensors: ReadonlyMap<string, TensorEntry>;
}

export interface ReferenceAdapter {
  spec: LoraSpec;
  /** The flat B, in layout order. */
  values: Float32Array | Float64Array;
}

export interface ReferenceResult {
  /** Mean nats a label token over all examples. */
  loss: number;
  /** The loss's gradient for the flat B; empty without adapter. */
  gradient: Float64Array;
}

/** Loss and LoRA gradient of a batch of examples. */
export function referenceLoss(
  model: ReferenceModel,
  adapter: ReferenceAdapter | null,
  examples: readonly Pick<EncodedExample, 'ids' | 'labels'>[],
): ReferenceResult {
  const lora = adapter ? loraPairs(model.config, adapter) : new Map<string, LoraPair>();
  const labels = examples.reduce((sum, row) => sum + row.labels.filter((label) => label >= 0).length, 0);
  const share = 1 / Math.max(1, labels);
  let loss = 0;
  for (const { ids, labels } of examples) loss += exampleLoss(model, lora, ids, labels, share);
  const gradients = adapter
    ? adaptedModules(model.config, adapter.spec).flatMap(({ name }) => [...lora.get(name)!.dB])
    : [];
  return { loss, gradient: Float64Array.from(gradients) };
}

function loraPairs(config: LlamaConfig, { spec, values }: ReferenceAdapter): Map<string, LoraPair> {
  const published = publishedA(config, spec);
  let offset = 0;
  return new Map(
    adaptedModules(config, spec).map(({ name, out }, index) => {
      const size = out * spec.rank;
      const B = Float64Array.from(values.subarray(offset, offset + size));
      offset += size;
      const A = Float64Array.from(published[index]!);
      return [name, { rank: spec.rank, scale: spec.alpha / spec.rank, A, B, dB: new Float64Array(size) }];
    }),
  );
}

/** One row: adds to every dB, returns its part of the loss. */
function exampleLoss(
  { config, tensors }: ReferenceModel,
  lora: ReadonlyMap<string, LoraPair>,
  ids: Int32Array,
  labels: Int32Array,
  share: number,
): number {
  const { hiddenSize, vocabSize, heads, kvHeads, headDim, intermediateSize, ropeTheta, rmsNormEps } = config;
  const weight = (name: string) => tensors.get(`${name}.weight`)!.values;
  const embedding = weight('model.embed_tokens');
  const backwards: ((dx: Vector) => Vector)[] = [];

  let x = Float64Array.from([...ids].flatMap((id) => [...embedding.subarray(id * hiddenSize, (id + 1) * hiddenSize)]));
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `model.layers.${layer}`;
    const project = (module: TargetModule, input: Vector, inputs: number, outputs: number) => {
      const name = moduleName(layer, module);
      return adapted(input, weight(name), inputs, outputs, lora.get(name));
    };
    const n = rmsNorm(x, weight(`${prefix}.input_layernorm`), rmsNormEps);
    const q = project('q_proj', n.y, hiddenSize, heads * headDim);
    const k = project('k_proj', n.y, hiddenSize, kvHeads * headDim);
    const v = project('v_proj', n.y, hiddenSize, kvHeads * headDim);
    const mixed = attention(
      rotate(q.y, heads, headDim, ropeTheta, 1),
      rotate(k.y, kvHeads, headDim, ropeTheta, 1),
      v.y,
      config,
    );
    const o = project('o_proj', mixed.out, heads * headDim, hiddenSize);
    const middle = sumOf(x, o.y);
    const m = rmsNorm(middle, weight(`${prefix}.post_attention_layernorm`), rmsNormEps);
    const gate = project('gate_proj', m.y, hiddenSize, intermediateSize);
    const up = project('up_proj', m.y, hiddenSize, intermediateSize);
    const activated = swiglu(gate.y, up.y);
    const down = project('down_proj', activated.y, intermediateSize, hiddenSize);
    x = sumOf(middle, down.y);

    backwards.push((dOut) => {
      const { dGate, dUp } = activated.backward(down.backward(dOut));
      const dMiddle = sumOf(dOut, m.backward(sumOf(gate.backward(dGate), up.backward(dUp))));
      const { dq, dk, dv } = mixed.backward(o.backward(dMiddle));
      const dn = sumOf(
        q.backward(rotate(dq, heads, headDim, ropeTheta, -1)),
        k.backward(rotate(dk, kvHeads, headDim, ropeTheta, -1)),
        v.backward(dv),
      );
      return sumOf(dMiddle, n.backward(dn));
    });
  }
  const final = rmsNorm(x, weight('model.norm'), rmsNormEps);
  const head = config.tieWordEmbeddings ? embedding : weight('lm_head');
  const logits = linear(final.y, head, hiddenSize, vocabSize);

  let loss = 0;
  const dLogits = new Float64Array(logits.length);
  labels.forEach((label, t) => {
    if (label < 0) return;
    const probabilities = softmax([...logits.subarray(t * vocabSize, (t + 1) * vocabSize)]);
    loss -= share * Math.log(probabilities[label]!);
    probabilities.forEach((p, token) => (dLogits[t * vocabSize + token] = share * (p - (token === label ? 1 : 0))));
  });
  if (lora.size > 0) {
    let dx = final.backward(linearBackward(dLogits, head, hiddenSize, vocabSize));
    for (const backward of backwards.toReversed()) dx = backward(dx);
  }
  return loss;
}
