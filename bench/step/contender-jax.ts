/**
 * jax-js: forward, backward and Adam in one `jit`. It counts references: a function consumes the arrays it is given, and
 * `.ref` keeps one for another use. Shapes: as in contender-tfjs.ts.
 */
import { type Array as JaxArray, defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax';
import type { Backend, StepContender } from './contender.ts';
import { rotaryTables } from './positions.ts';
import { ADAM, NORM_EPSILON, type StepShape, type Trained } from './shape.ts';
import { type AdapterName, type Frozen, mapFrozen, type StepBatch, type StepWeights, type Weight } from './weights.ts';

type Named = Record<string, JaxArray>;
/** What stays as it is from step to step, the untrained halves of the adapter included. */
type Fixed = { frozen: Frozen<JaxArray>; adapter: Named[]; cos: JaxArray; sin: JaxArray };
type Trainee = { values: Named[]; first: Named[]; second: Named[] };
/** `corrections` are Adam's two for the step; arrays, so that the trace serves every step. */
type Inputs = { ids: JaxArray; targets: JaxArray; corrections: JaxArray };
type Step = (trainee: Trainee, fixed: Fixed, inputs: Inputs) => [Trainee, JaxArray];

export class JaxContender implements StepContender {
  readonly trains: Trained;
  readonly #backend: Backend;
  #started: { fixed: Fixed; trainee: Trainee; step: Step } | undefined;
  #steps = 0;

  constructor(backend: Backend, trains: Trained) {
    this.#backend = backend;
    this.trains = trains;
  }

  async start(shape: StepShape, { frozen, adapter }: StepWeights): Promise<void> {
    const devices = await init(this.#backend);
    if (!devices.includes(this.#backend)) throw new Error(`jax-js cannot start ${this.#backend}`);
    defaultDevice(this.#backend);
    const isTrained = (name: string) => this.trains === 'ab' || name.endsWith('B');
    const named = (wanted: boolean): Named[] =>
      adapter.map((layer) => {
        const entries = Object.entries(layer).filter(([name]) => isTrained(name) === wanted);
        return Object.fromEntries(entries.map(([name, weight]) => [name, array(weight)]));
      });
    const { cos, sin, half } = rotaryTables(shape);
    const table = (values: Float32Array) => array({ values, shape: [1, shape.sequence, 1, half] });
    const values = named(true);
    const zeros = () => tree.map((value: JaxArray) => np.zerosLike(value.ref), values);
    this.#started = {
      fixed: { frozen: mapFrozen(frozen, array), adapter: named(false), cos: table(cos), sin: table(sin) },
      trainee: { values, first: zeros(), second: zeros() },
      step: jit(trainingStep(shape)) as Step,
    };
  }

  async step({ ids, targets }: StepBatch): Promise<number> {
    const started = this.#started!;
    this.#steps++;
    const correction = (beta: number) => 1 / (1 - beta ** this.#steps);
    const inputs: Inputs = {
      ids: np.array(ids, { dtype: np.int32 }),
      targets: np.array(targets, { dtype: np.int32 }),
      corrections: np.array(new Float32Array([correction(ADAM.beta1), correction(ADAM.beta2)])),
    };
    const [trainee, loss] = started.step(started.trainee, tree.ref(started.fixed), inputs);
    started.trainee = trainee;
    // All results of one call share its pending dispatches, so this read waits for Adam too.
    const [value] = await loss.data();
    return value!;
  }

  dispose(): void {
    tree.dispose(this.#started?.fixed);
    tree.dispose(this.#started?.trainee);
  }
}

function array({ values, shape }: Weight): JaxArray {
  return np.array(values).reshape(shape);
}

function trainingStep(shape: StepShape): Step {
  return ({ values, first, second }, fixed, { ids, targets, corrections }) => {
    const loss = (trained: Named[]) => meanLoss(shape, trained, tree.ref(fixed), ids.ref, targets.ref);
    const [value, gradients] = valueAndGrad(loss)(tree.ref(values)) as [JaxArray, Named[]];
    for (const done of [fixed, ids, targets]) tree.dispose(done);
    const { beta1, beta2, epsilon } = ADAM;
    const newFirst = tree.map(
      (m: JaxArray, g: JaxArray) => m.mul(beta1).add(g.mul(1 - beta1)),
      first,
      tree.ref(gradients),
    );
    const newSecond = tree.map(
      (v: JaxArray, g: JaxArray) => v.mul(beta2).add(g.ref.mul(g).mul(1 - beta2)),
      second,
      gradients,
    );
    const correction1 = corrections.ref.slice(0);
    const correction2 = corrections.slice(1);
    const newValues = tree.map(
      (value: JaxArray, m: JaxArray, v: JaxArray) => {
        const spread = np.sqrt(v.mul(correction2.ref)).add(epsilon);
        return value.sub(m.mul(correction1.ref).div(spread).mul(shape.learningRate));
      },
      values,
      tree.ref(newFirst),
      tree.ref(newSecond),
    );
    correction1.dispose();
    correction2.dispose();
    return [{ values: newValues, first: newFirst, second: newSecond }, value];
  };
}

/** Consumes everything it is given. */
function meanLoss(shape: StepShape, trained: Named[], fixed: Fixed, ids: JaxArray, targets: JaxArray): JaxArray {
  const { d, heads, batch, sequence, vocabulary, alpha, rank } = shape;
  const { frozen, cos, sin } = fixed;
  let hidden = frozen.embedding.ref.slice(ids);
  frozen.layers.forEach((layer, index) => {
    const adapter = { ...fixed.adapter[index], ...trained[index] } as Record<AdapterName, JaxArray>;
    const perHead = (y: JaxArray) => y.reshape([batch, sequence, heads, d / heads]);
    const x = rmsNorm(hidden.ref, layer.attentionNorm.ref);
    const q = turn(
      perHead(adapted(x.ref, layer.query, adapter.queryA, adapter.queryB, alpha / rank)),
      cos.ref,
      sin.ref,
    );
    const k = turn(perHead(np.matmul(x.ref, layer.key.ref)), cos.ref, sin.ref);
    const v = perHead(adapted(x, layer.value, adapter.valueA, adapter.valueB, alpha / rank));
    const attended = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([batch * sequence, d]);
    hidden = hidden.add(np.matmul(attended, layer.output.ref));
    const normed = rmsNorm(hidden.ref, layer.feedForwardNorm.ref);
    const gate = nn.silu(np.matmul(normed.ref, layer.gate.ref));
    hidden = hidden.add(np.matmul(gate.mul(np.matmul(normed, layer.up.ref)), layer.down.ref));
  });
  const logits = np.matmul(rmsNorm(hidden, frozen.finalNorm.ref), frozen.head.ref);
  const chosen = nn.logSoftmax(logits, -1).mul(nn.oneHot(targets, vocabulary));
  tree.dispose(trained);
  tree.dispose(fixed);
  return chosen.sum().mul(-1 / (batch * sequence));
}

/** x W + scale (x A) B; consumes `x` alone. */
function adapted(x: JaxArray, weight: JaxArray, a: JaxArray, b: JaxArray, scale: number): JaxArray {
  return np.matmul(x.ref, weight.ref).add(np.matmul(np.matmul(x, a.ref), b.ref).mul(scale));
}

function rmsNorm(x: JaxArray, gain: JaxArray): JaxArray {
  const meanSquare = np.square(x.ref).mean(-1, { keepdims: true });
  return x.mul(np.reciprocal(np.sqrt(meanSquare.add(NORM_EPSILON)))).mul(gain);
}

/** RoPE on `[B, T, H, C]`. */
function turn(x: JaxArray, cos: JaxArray, sin: JaxArray): JaxArray {
  const [low, high] = np.split(x, 2, -1) as [JaxArray, JaxArray];
  const turnedLow = low.ref.mul(cos.ref).sub(high.ref.mul(sin.ref));
  return np.concatenate([turnedLow, high.mul(cos).add(low.mul(sin))], -1);
}
