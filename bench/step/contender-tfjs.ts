/**
 * Stock TensorFlow.js 4.22: its operations, its autodiff and its Adam, without the repository's repairs.
 * Shapes: B rows of T tokens, N = B*T; D hidden, H heads of C channels, R the rank, V the vocabulary.
 */
import * as tf from '@tensorflow/tfjs-core';
// It registers the gradients, which the core leaves out.
import '@tensorflow/tfjs';
import type { Backend, StepContender } from './contender.ts';
import { causalMask, rotaryTables } from './positions.ts';
import { ADAM, NORM_EPSILON, type StepShape, type Trained } from './shape.ts';
import { type AdapterLayers, type Frozen, mapFrozen, mapRecord, type StepBatch, type StepWeights } from './weights.ts';

interface Started {
  shape: StepShape;
  frozen: Frozen<tf.Tensor>;
  adapter: AdapterLayers<tf.Tensor>;
  trained: tf.Variable[];
  cos: tf.Tensor;
  sin: tf.Tensor;
  mask: tf.Tensor;
  adam: tf.AdamOptimizer;
}

export class TfjsContender implements StepContender {
  readonly trains: Trained;
  readonly #backend: Backend;
  #started: Started | undefined;

  constructor(backend: Backend, trains: Trained) {
    this.#backend = backend;
    this.trains = trains;
  }

  async start(shape: StepShape, weights: StepWeights): Promise<void> {
    if (this.#backend === 'webgpu') await import('@tensorflow/tfjs-backend-webgpu');
    else await import('@tensorflow/tfjs-backend-wasm');
    if (!(await tf.setBackend(this.#backend))) throw new Error(`TFJS cannot start its ${this.#backend} backend`);
    const trained: tf.Variable[] = [];
    const { cos, sin, half } = rotaryTables(shape);
    const { sequence } = shape;
    this.#started = {
      shape,
      frozen: mapFrozen(weights.frozen, ({ values, shape: size }) => tf.tensor(values, size)),
      adapter: weights.adapter.map((layer) =>
        mapRecord(layer, ({ values, shape: size }, name): tf.Tensor => {
          const tensor = tf.tensor(values, size);
          if (this.trains === 'b' && name.endsWith('A')) return tensor;
          const variable = tf.variable(tensor);
          trained.push(variable);
          return variable;
        }),
      ),
      trained,
      cos: tf.tensor(cos, [1, sequence, 1, half]),
      sin: tf.tensor(sin, [1, sequence, 1, half]),
      mask: tf.tensor(causalMask(shape), [1, 1, sequence, sequence]),
      adam: tf.train.adam(shape.learningRate, ADAM.beta1, ADAM.beta2, ADAM.epsilon),
    };
  }

  async step(batch: StepBatch): Promise<number> {
    const started = this.#started!;
    const ids = tf.tensor1d(batch.ids, 'int32');
    const targets = tf.tensor1d(batch.targets, 'int32');
    const { value, grads } = tf.variableGrads(() => meanLoss(started, ids, targets), started.trained);
    started.adam.applyGradients(Object.entries(grads).map(([name, tensor]) => ({ name, tensor })));
    const [loss] = await value.data();
    tf.dispose([value, ids, targets, grads]);
    return loss!;
  }

  dispose(): void {
    tf.disposeVariables();
    tf.removeBackend(this.#backend);
  }
}

function meanLoss(started: Started, ids: tf.Tensor1D, targets: tf.Tensor1D): tf.Scalar {
  const { shape, frozen, adapter } = started;
  let hidden: tf.Tensor = tf.gather(frozen.embedding, ids);
  frozen.layers.forEach((layer, index) => {
    const attended = attend(started, layer, adapter[index]!, rmsNorm(hidden, layer.attentionNorm));
    hidden = tf.add(hidden, tf.matMul(attended, layer.output));
    const normed = rmsNorm(hidden, layer.feedForwardNorm);
    const gate = tf.matMul(normed, layer.gate);
    const inner = tf.mul(tf.mul(gate, tf.sigmoid(gate)), tf.matMul(normed, layer.up));
    hidden = tf.add(hidden, tf.matMul(inner, layer.down));
  });
  const logits = tf.matMul(rmsNorm(hidden, frozen.finalNorm), frozen.head);
  const chosen = tf.mul(tf.logSoftmax(logits, -1), tf.oneHot(targets, shape.vocabulary));
  return tf.mul(tf.sum(chosen), -1 / ids.size);
}

/** Causal attention of `x [N, D]`, before the output projection. */
function attend(
  { shape, cos, sin, mask }: Started,
  layer: Frozen<tf.Tensor>['layers'][number],
  adapter: AdapterLayers<tf.Tensor>[number],
  x: tf.Tensor,
): tf.Tensor {
  const { d, heads, batch, sequence, alpha, rank } = shape;
  const channels = d / heads;
  const perHead = (y: tf.Tensor) => tf.reshape(y, [batch, sequence, heads, channels]);
  const adapted = (weight: tf.Tensor, a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
    tf.add(tf.matMul(x, weight), tf.mul(tf.matMul(tf.matMul(x, a), b), alpha / rank));
  const turned = (y: tf.Tensor) => {
    const [low, high] = tf.split(perHead(y), 2, -1) as [tf.Tensor, tf.Tensor];
    const turnedLow = tf.sub(tf.mul(low, cos), tf.mul(high, sin));
    return headsFirst(tf.concat([turnedLow, tf.add(tf.mul(high, cos), tf.mul(low, sin))], -1));
  };
  const q = turned(adapted(layer.query, adapter.queryA, adapter.queryB));
  const k = turned(tf.matMul(x, layer.key));
  const v = headsFirst(perHead(adapted(layer.value, adapter.valueA, adapter.valueB)));
  const scores = tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(channels)), mask);
  return tf.reshape(headsFirst(tf.matMul(tf.softmax(scores), v)), [batch * sequence, d]);
}

/** `[B, T, H, C]` to `[B, H, T, C]`, and back. */
function headsFirst(y: tf.Tensor): tf.Tensor {
  return tf.transpose(y, [0, 2, 1, 3]);
}

function rmsNorm(x: tf.Tensor, gain: tf.Tensor): tf.Tensor {
  const meanSquare = tf.mean(tf.square(x), -1, true);
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(meanSquare, NORM_EPSILON))), gain);
}
