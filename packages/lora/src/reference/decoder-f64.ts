/**
 * The model in plain loops and double precision: what every backend is checked against.
 * Nothing here is fast, shared with the tensor code, or clever. Rows are computed one by one, without padding; backward is
 * the derivative of each line above it, and is itself checked by finite differences.
 *
 * Shapes: T positions, D hidden, V vocabulary, R rank. Matrices are row-major Float64Array; weights `[out, in]`.
 */
import { adaptedModules, type LoraSpec, publishedA } from '../adapter/index.ts';
import {
  type Attention,
  checkTensors,
  type FeedForward,
  type LinearLayer,
  type ModelConfig,
  type NormLayer,
  type Sublayer,
  rotaryFrequencies,
} from '../architecture/index.ts';
import type { TensorEntry } from '../checkpoint/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';
import {
  activate,
  adapted,
  attention,
  linear,
  linearBackward,
  type LoraPair,
  norm,
  productOf,
  rotate,
  softmax,
  sumOf,
  type Vector,
} from './layers-f64.ts';

export interface ReferenceModel {
  config: ModelConfig;
  tensors: ReadonlyMap<string, TensorEntry>;
}

export interface ReferenceAdapter {
  spec: LoraSpec;
  /** The flat B, in layout order. */
  values: Float32Array | Float64Array;
  /** A per module, in the order of `adaptedModules`; the published ones unless told. */
  a?: readonly Float32Array[];
}

export interface ReferenceResult {
  /** Mean nats a label token over all examples. */
  loss: number;
  /** The loss's gradient for the flat B; empty without adapter. */
  gradient: Float64Array;
}

/** A value and the derivative of what made it. */
interface Step {
  y: Vector;
  backward: (dy: Vector) => Vector;
}

/** Loss and LoRA gradient of a batch of examples. */
export function referenceLoss(
  model: ReferenceModel,
  adapter: ReferenceAdapter | null,
  examples: readonly Pick<EncodedExample, 'ids' | 'labels'>[],
): ReferenceResult {
  const { vocabSize } = model.config;
  const decoder = new Decoder(model, adapter);
  const labelCount = examples.reduce((sum, row) => sum + row.labels.filter((label) => label >= 0).length, 0);
  const share = 1 / Math.max(1, labelCount);
  let loss = 0;
  for (const { ids, labels } of examples) {
    const logits = decoder.logits(ids);
    const dLogits = new Float64Array(logits.y.length);
    labels.forEach((label, t) => {
      if (label < 0) return;
      const probabilities = softmax([...logits.y.subarray(t * vocabSize, (t + 1) * vocabSize)]);
      loss -= share * Math.log(probabilities[label]!);
      probabilities.forEach((p, token) => (dLogits[t * vocabSize + token] = share * (p - (token === label ? 1 : 0))));
    });
    if (adapter) logits.backward(dLogits);
  }
  return { loss, gradient: decoder.gradient() };
}

/** The logits of one row, `[T, V]`. */
export function referenceLogits(model: ReferenceModel, adapter: ReferenceAdapter | null, ids: Int32Array): Vector {
  return new Decoder(model, adapter).logits(ids).y;
}

class Decoder {
  readonly #config: ModelConfig;
  readonly #tensors: ReadonlyMap<string, TensorEntry>;
  readonly #lora: ReadonlyMap<string, LoraPair>;

  constructor({ config, tensors }: ReferenceModel, adapter: ReferenceAdapter | null) {
    this.#config = config;
    this.#tensors = checkTensors(config, tensors);
    this.#lora = adapter ? loraPairs(config, adapter) : new Map();
  }

  /** dB of every adapted layer so far, flat, in layout order. */
  gradient(): Float64Array {
    return Float64Array.from([...this.#lora.values()].flatMap(({ dB }) => [...dB]));
  }

  logits(ids: Int32Array): Step {
    const { hiddenSize, vocabSize, finalNorm, head, embedding, logitSoftCap: cap, sublayers } = this.#config;
    const steps: Step[] = [];
    let x = this.#embed(ids);
    for (const sublayer of sublayers) {
      const step = this.#sublayer(sublayer, x);
      steps.push(step);
      x = step.y;
    }
    const final = this.#norm(finalNorm, x);
    const table = this.#values(`${head ?? embedding.name}.weight`);
    const plain = linear(final.y, table, hiddenSize, vocabSize);
    const y = cap === null ? plain : plain.map((logit) => cap * Math.tanh(logit / cap));
    const backward = (dy: Vector): Vector => {
      const bent = cap === null ? dy : dy.map((d, i) => d * (1 - (y[i]! / cap) ** 2));
      const dx = final.backward(linearBackward(bent, table, hiddenSize, vocabSize));
      return steps.toReversed().reduce((d, step) => step.backward(d), dx);
    };
    return { y, backward };
  }

  #embed(ids: Int32Array): Vector {
    const { hiddenSize, embedding } = this.#config;
    const table = this.#values(`${embedding.name}.weight`);
    const positions = embedding.positions === null ? null : this.#values(`${embedding.positions}.weight`);
    return Float64Array.from({ length: ids.length * hiddenSize }, (_, i) => {
      const token = ids[Math.floor(i / hiddenSize)]! * hiddenSize + (i % hiddenSize);
      return table[token]! * embedding.scale + (positions?.[i] ?? 0);
    });
  }

  #sublayer({ norm: before, body, postNorm }: Sublayer, x: Vector): Step {
    const n = this.#norm(before, x);
    const inner = body.kind === 'attention' ? this.#attention(body, n.y) : this.#feedForward(body, n.y);
    const after = postNorm ? this.#norm(postNorm, inner.y) : { y: inner.y, backward: (dy: Vector) => dy };
    return {
      y: sumOf(x, after.y),
      backward: (dy) => sumOf(dy, n.backward(inner.backward(after.backward(dy)))),
    };
  }

  #attention(layer: Attention, x: Vector): Step {
    const { heads, kvHeads, headDim, projections, output } = layer;
    const sizes = [heads * headDim, kvHeads * headDim, kvHeads * headDim];
    const projected = projections.map((projection) => this.#linear(projection, x));
    const [query, key, value] = projected.length === 1 ? columns(projected[0]!.y, sizes) : projected.map(({ y }) => y);
    const q = this.#heads(layer, layer.queryNorm, query!, heads);
    const k = this.#heads(layer, layer.keyNorm, key!, kvHeads);
    const mixed = attention(q.y, k.y, value!, layer);
    const out = this.#linear(output, mixed.out);
    const backward = (dy: Vector): Vector => {
      const { dq, dk, dv } = mixed.backward(out.backward(dy));
      const parts = [q.backward(dq), k.backward(dk), dv];
      const dProjected = projected.length === 1 ? [joinedColumns(parts, sizes)] : parts;
      const [first, ...others] = projected.map((step, i) => step.backward(dProjected[i]!));
      return sumOf(first!, ...others);
    };
    return { y: out.y, backward };
  }

  /** Queries or keys: normed head by head and turned, where the model does. */
  #heads({ rotary }: Attention, headNorm: NormLayer | null, x: Vector, count: number): Step {
    const normed = headNorm ? this.#norm(headNorm, x) : { y: x, backward: (dy: Vector) => dy };
    if (!rotary) return normed;
    const frequencies = rotaryFrequencies(rotary);
    return {
      y: rotate(normed.y, count, frequencies, 1),
      backward: (dy) => normed.backward(rotate(dy, count, frequencies, -1)),
    };
  }

  #feedForward({ gate: gateLayer, up: upLayer, down: downLayer, activation }: FeedForward, x: Vector): Step {
    const up = this.#linear(upLayer, x);
    if (!gateLayer) {
      const activated = activate(activation, up.y);
      const down = this.#linear(downLayer, activated.y);
      return { y: down.y, backward: (dy) => up.backward(activated.backward(down.backward(dy))) };
    }
    const gate = this.#linear(gateLayer, x);
    const activated = activate(activation, gate.y);
    const down = this.#linear(downLayer, productOf(activated.y, up.y));
    const backward = (dy: Vector): Vector => {
      const d = down.backward(dy);
      return sumOf(gate.backward(activated.backward(productOf(d, up.y))), up.backward(productOf(d, activated.y)));
    };
    return { y: down.y, backward };
  }

  #linear({ name, in: inputs, out, hasBias, isConv1d }: LinearLayer, x: Vector): Step {
    const stored = this.#values(`${name}.weight`);
    const w = isConv1d ? transposed(stored, inputs, out) : stored;
    const bias = hasBias ? this.#values(`${name}.bias`) : null;
    return adapted(x, { w, bias }, inputs, out, this.#lora.get(name));
  }

  #norm(layer: NormLayer, x: Vector): Step {
    const stored = this.#values(`${layer.name}.weight`);
    const gain = layer.hasUnitOffset ? Float64Array.from(stored, (value) => 1 + value) : stored;
    return norm(x, layer, gain, layer.kind === 'layer' ? this.#values(`${layer.name}.bias`) : null);
  }

  #values(name: string): Float32Array {
    return this.#tensors.get(name)!.values;
  }
}

function loraPairs(config: ModelConfig, { spec, values, a }: ReferenceAdapter): Map<string, LoraPair> {
  const matrices = a ?? publishedA(config, spec);
  let offset = 0;
  return new Map(
    adaptedModules(config, spec).map(({ name, out, rank, scale }, index) => {
      const size = out * rank;
      const B = Float64Array.from(values.subarray(offset, offset + size));
      offset += size;
      return [name, { rank, scale, A: Float64Array.from(matrices[index]!), B, dB: new Float64Array(size) }];
    }),
  );
}

/** `[rows, columns]` to `[columns, rows]`. */
function transposed(matrix: Float32Array, rows: number, columnCount: number): Float64Array {
  return Float64Array.from(matrix, (_, i) => matrix[(i % rows) * columnCount + Math.floor(i / rows)]!);
}

/** `[T, sum of sizes]` cut into one `[T, size]` a size. */
function columns(x: Vector, sizes: readonly number[]): Vector[] {
  const width = sizes.reduce((sum, size) => sum + size, 0);
  let start = 0;
  return sizes.map((size) => {
    const first = start;
    start += size;
    return Float64Array.from(
      { length: (x.length / width) * size },
      (_, i) => x[Math.floor(i / size) * width + first + (i % size)]!,
    );
  });
}

/** The inverse of `columns`. */
function joinedColumns(parts: readonly Vector[], sizes: readonly number[]): Vector {
  const rows = parts[0]!.length / sizes[0]!;
  return Float64Array.from(
    Array.from({ length: rows }, (_, t) =>
      parts.flatMap((part, i) => [...part.subarray(t * sizes[i]!, (t + 1) * sizes[i]!)]),
    ).flat(),
  );
}
