/** Steps through TFJS, on whichever of its backends is in use: the plain way, which the recorded step is checked against. */
import { adaptedModules } from '../adapter/index.ts';
import { type CausalLm, LoraAdapter } from '../model/index.ts';
import type { AdamVectors, HostBatch, OpenEngine, StepEngine, StepMeasures, StepSettings } from '../step/index.ts';
import { add, assertDeviceHealthy, concat, dispose, reshape, tensor1d, tidy } from '../tensor/index.ts';
import type { Tensor1D } from '../tensor/index.ts';
import { type AdamState, adamStep } from './adamw.ts';
import { disposeBatch, uploadBatch } from './batch.ts';
import { GeometryCache } from './geometry-cache.ts';
import { lossAndGradient } from './loss-and-gradient.ts';

/**
 * Opens a TFJS engine on a model of the backend in use; the model stays its owner's.
 * @throws RangeError on opening, when anything but an adapter's B is to be trained
 */
export function tfjsEngine(model: CausalLm): OpenEngine {
  return async ({ config, spec, alsoTrains = [], frozenA, vectors }) => {
    if (!spec || alsoTrains.length > 0 || spec.trains === 'a-and-b') {
      throw new RangeError('tfjsEngine: the plain way trains an adapter’s B only');
    }
    const a = adaptedModules(config, spec).map(({ name }) => frozenA.get(name)!);
    return new TfjsEngine(model, new LoraAdapter(config, spec, a), vectors);
  };
}

class TfjsEngine implements StepEngine {
  readonly batchRows = Infinity;
  readonly overlaps = false;
  readonly #model: CausalLm;
  readonly #adapter: LoraAdapter;
  readonly #geometries: GeometryCache;
  #state: AdamState;
  /** The step asked for last: the next one begins after it. */
  #last: Promise<unknown> = Promise.resolve();
  #halted = false;

  constructor(model: CausalLm, adapter: LoraAdapter, vectors: AdamVectors) {
    const { values, firstMoment, secondMoment } = vectors;
    this.#model = model;
    this.#adapter = adapter;
    this.#geometries = new GeometryCache(model.config);
    this.#state = {
      values: tensor1d(values.slice()),
      firstMoment: tensor1d(firstMoment.slice()),
      secondMoment: tensor1d(secondMoment.slice()),
    };
  }

  step(batches: readonly HostBatch[], settings: StepSettings): Promise<StepMeasures> {
    const result = this.#last.then(() => this.#take(batches, settings));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async vectors(): Promise<AdamVectors> {
    await this.#last;
    const { values, firstMoment, secondMoment } = this.#state;
    const [v, m1, m2] = await Promise.all([read(values), read(firstMoment), read(secondMoment)]);
    return { values: v, firstMoment: m1, secondMoment: m2 };
  }

  dispose(): void {
    this.#adapter.dispose();
    this.#geometries.dispose();
    dispose(Object.values(this.#state));
  }

  async #take(batches: readonly HostBatch[], settings: StepSettings): Promise<StepMeasures> {
    if (this.#halted) return { loss: NaN, gradientNorm: NaN };
    const uploaded = batches.map(uploadBatch);
    // Outside the tidy: the cache keeps what it makes.
    const geometries = uploaded.map(({ rows, positions }) => this.#geometries.get(rows, positions));
    const { next, measures } = tidy(() => {
      const sums = uploaded.map((batch, i) =>
        lossAndGradient(this.#model, this.#adapter, this.#state.values, batch, geometries[i]!),
      );
      const { loss, gradient } = sums.reduce((sum, one) => ({
        loss: add(sum.loss, one.loss),
        gradient: add(sum.gradient, one.gradient),
      }));
      const { norm, ...state } = adamStep(this.#state, gradient, settings);
      return { next: state, measures: concat([reshape(loss, [1]) as Tensor1D, norm]) };
    });
    uploaded.forEach(disposeBatch);
    const [loss = NaN, gradientNorm = NaN] = await read(measures).finally(() => measures.dispose());
    const isSound = Number.isFinite(loss) && Number.isFinite(gradientNorm);
    dispose(Object.values(isSound ? this.#state : next));
    if (isSound) this.#state = next;
    else this.#halted = true;
    return { loss, gradientNorm };
  }
}

async function read(tensor: Tensor1D): Promise<Float32Array> {
  const values = await tensor.data();
  assertDeviceHealthy();
  return Float32Array.from(values);
}
