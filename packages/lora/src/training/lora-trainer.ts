/** Local training of one adapter: one optimiser step a call, so that pausing and stopping are the caller's loop. */
import type { AdapterLayout } from '@oneround/fl-core';
import type { LoraSpec } from '../adapter/index.ts';
import { type CausalLm, LoraAdapter } from '../model/index.ts';
import { assertDeviceHealthy, concat, dispose, reshape, tensor1d, tidy, type Tensor1D } from '../tensor/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';
import { adamStep, type AdamState, learningRateAt } from './adamw.ts';
import { type Batch, disposeBatch, makeBatch } from './batch.ts';
import { epochBatches } from './batches.ts';
import { checkExamples } from './check-examples.ts';
import { GeometryCache } from './geometry-cache.ts';
import { lossAndGradient } from './loss-and-gradient.ts';
import { settingsHash, type StepReport, type TrainerCheckpoint, type TrainingSettings } from './settings.ts';
import { TrainingError } from './training-error.ts';

export interface LoraTrainerOptions {
  model: CausalLm;
  spec: LoraSpec;
  layout: AdapterLayout;
  examples: readonly EncodedExample[];
  settings: TrainingSettings;
  /** The published start of B, flat; zeros when absent. */
  start?: Float32Array | undefined;
  /** The frozen A of each module, `[R, I]`; published from the spec's seed when absent. */
  a?: readonly Float32Array[] | undefined;
  /** Continues a run; the result has the bits of a run that never stopped. */
  resume?: TrainerCheckpoint;
}

/**
 * Trains the flat B of a LoRA adapter. On one backend the same inputs give the same bits.
 * Holds tensors on the current backend until `dispose`.
 */
export class LoraTrainer {
  readonly totalSteps: number;
  readonly #options: LoraTrainerOptions;
  readonly #adapter: LoraAdapter;
  readonly #geometries: GeometryCache;
  readonly #start: Float32Array;
  readonly #hash: string;
  #state: AdamState;
  #step: number;
  #epoch: { number: number; batches: number[][] } | undefined;

  /** @throws TrainingError `no_examples`, `wrong_shape`, `too_long` or `wrong_checkpoint` */
  constructor(options: LoraTrainerOptions) {
    const { model, spec, layout, examples, settings, start, a, resume } = options;
    checkExamples(model.config, examples);
    this.#options = options;
    this.#hash = settingsHash(settings, spec, layout, examples);
    this.#start = start ?? new Float32Array(layout.size);
    checkLengths(layout, this.#start, resume, this.#hash);
    this.totalSteps = settings.epochs * Math.ceil(examples.length / settings.batchSize);
    this.#adapter = new LoraAdapter(model.config, spec, a);
    if (this.#adapter.size !== layout.size) {
      this.#adapter.dispose();
      throw new TrainingError(
        'wrong_shape',
        `The layout has ${layout.size} values, this adapter ${this.#adapter.size}.`,
      );
    }
    this.#geometries = new GeometryCache(model.config);
    this.#step = resume?.step ?? 0;
    this.#state = {
      values: tensor1d((resume?.values ?? this.#start).slice()),
      firstMoment: tensor1d(resume?.firstMoment.slice() ?? new Float32Array(layout.size)),
      secondMoment: tensor1d(resume?.secondMoment.slice() ?? new Float32Array(layout.size)),
    };
  }

  /** Steps taken so far. */
  get step(): number {
    return this.#step;
  }

  /**
   * Takes one optimiser step. Await it before asking for the next.
   * @throws TrainingError `not_finite` when the loss or its gradient is NaN or infinite (the adapter is then unchanged), `finished` after the last step
   * @throws BackendError `device_failed` when the GPU reported an error
   */
  async nextStep(): Promise<StepReport> {
    if (this.#step >= this.totalSteps) {
      throw new TrainingError('finished', `All ${this.totalSteps} steps are done; take the delta.`);
    }
    const began = performance.now();
    const { examples, settings } = this.#options;
    const batchesPerEpoch = this.totalSteps / settings.epochs;
    const epoch = Math.floor(this.#step / batchesPerEpoch);
    const indices = this.#batchesOf(epoch)[this.#step % batchesPerEpoch]!;
    const learningRate = learningRateAt(this.#step + 1, {
      totalSteps: this.totalSteps,
      warmupRatio: settings.warmupRatio,
      peak: settings.learningRate,
    });
    const batch = makeBatch(indices.map((index) => examples[index]!));
    const outcome = this.#optimise(batch, learningRate);
    disposeBatch(batch);
    const { loss, gradientNorm } = await this.#commit(outcome);
    return {
      step: this.#step,
      steps: this.totalSteps,
      epoch: epoch + 1,
      epochs: settings.epochs,
      loss,
      gradientNorm,
      learningRate,
      tokens: batch.tokens,
      milliseconds: performance.now() - began,
    };
  }

  /** A copy of everything needed to continue from here with `resume`. */
  async checkpoint(): Promise<TrainerCheckpoint> {
    const { values, firstMoment, secondMoment } = this.#state;
    const step = this.#step;
    const [v, m1, m2] = await Promise.all([read(values), read(firstMoment), read(secondMoment)]);
    return { step, values: v, firstMoment: m1, secondMoment: m2, settingsHash: this.#hash };
  }

  /** The trained B minus its start, flat, in layout order. */
  async delta(): Promise<Float32Array> {
    const values = await read(this.#state.values);
    return values.map((value, i) => value - this.#start[i]!);
  }

  /** Frees every tensor of this trainer; the model stays. */
  dispose(): void {
    this.#adapter.dispose();
    this.#geometries.dispose();
    dispose(Object.values(this.#state));
  }

  #batchesOf(epoch: number): number[][] {
    if (this.#epoch?.number !== epoch) {
      const { examples, settings } = this.#options;
      const { batchSize, seed } = settings;
      this.#epoch = { number: epoch, batches: epochBatches(examples, { batchSize, seed, epoch }) };
    }
    return this.#epoch.batches;
  }

  /** Makes `next` the state once its loss and gradient norm have turned out finite; frees it otherwise. */
  async #commit({ next, measures }: { next: AdamState; measures: Tensor1D }) {
    try {
      const [loss = NaN, gradientNorm = NaN] = await read(measures);
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
        throw new TrainingError(
          'not_finite',
          `Step ${this.#step + 1} has loss ${loss} and gradient norm ${gradientNorm}; a lower learning rate may help.`,
        );
      }
      dispose(Object.values(this.#state));
      this.#state = next;
      this.#step++;
      return { loss, gradientNorm };
    } catch (error) {
      dispose(Object.values(next));
      throw error;
    } finally {
      measures.dispose();
    }
  }

  /** One forward, backward and update; `measures` is `[loss, gradient norm]`. */
  #optimise(batch: Batch, learningRate: number): { next: AdamState; measures: Tensor1D } {
    const { model, settings } = this.#options;
    const geometry = this.#geometries.get(batch.rows, batch.positions);
    return tidy(() => {
      const { loss, gradient } = lossAndGradient(model, this.#adapter, this.#state.values, batch, geometry);
      const { norm, ...next } = adamStep(this.#state, gradient, {
        step: this.#step + 1,
        learningRate,
        weightDecay: settings.weightDecay,
        clipNorm: settings.clipNorm,
      });
      return { next, measures: concat([reshape(loss, [1]) as Tensor1D, norm]) };
    });
  }
}

async function read(tensor: Tensor1D): Promise<Float32Array> {
  const values = await tensor.data();
  assertDeviceHealthy();
  return Float32Array.from(values);
}

function checkLengths(layout: AdapterLayout, start: Float32Array, resume: TrainerCheckpoint | undefined, hash: string) {
  const vectors = [start, ...(resume ? [resume.values, resume.firstMoment, resume.secondMoment] : [])];
  const wrong = vectors.find((vector) => vector.length !== layout.size);
  if (wrong) {
    throw new TrainingError('wrong_shape', `Got ${wrong.length} values for a layout of ${layout.size}.`);
  }
  if (resume?.settingsHash !== undefined && resume.settingsHash !== hash) {
    throw new TrainingError(
      'wrong_checkpoint',
      'The stored checkpoint belongs to other settings or data; delete it and start again.',
    );
  }
}
