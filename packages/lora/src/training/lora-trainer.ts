/**
 * Local training of an adapter, of a model's own tensors, or of both: one optimiser step a call, so that pausing and
 * stopping are the caller's loop.
 */
import type { AdapterLayout } from '@oneround/fl-core';
import { adapterFactors, adapterSize, adaptedModules, type LoraSpec, publishedA } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import {
  type AdamVectors,
  type HostBatch,
  makeHostBatch,
  type OpenEngine,
  scoredCount,
  type StepEngine,
  type StepMeasures,
  type Trained,
  workloadOf,
} from '../step/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';
import { epochBatches } from './batches.ts';
import { checkExamples } from './check-examples.ts';
import { learningRateAt } from './schedule.ts';
import { settingsHash, type StepReport, type TrainerCheckpoint, type TrainingSettings } from './settings.ts';
import { trainedSize } from './trained-layout.ts';
import { TrainingError } from './training-error.ts';

export interface LoraTrainerOptions extends Trained {
  config: ModelConfig;
  /** Of all that is trained: `loraLayout`, or `trainedLayout` where it is not an adapter alone. */
  layout: AdapterLayout;
  examples: readonly EncodedExample[];
  settings: TrainingSettings;
  /**
   * Where training begins, flat: the published B, or zeros when absent; `trainedStart` where it is not an adapter alone.
   * Where A is trained, what is added to the published one to begin with.
   */
  start?: Float32Array | undefined;
  /** The published A of each module, `[R, I]`; drawn from the spec's seed when absent. */
  a?: readonly Float32Array[] | undefined;
  /** Continues a run; the result has the bits of a run that never stopped. */
  resume?: TrainerCheckpoint | undefined;
}

/** A step that was asked for. */
interface StartedStep {
  epoch: number;
  learningRate: number;
  tokens: number;
  /** When it was asked for, as `performance.now()`. */
  askedAt: number;
  /** With the time at which they came. */
  measures: Promise<StepMeasures & { endedAt: number }>;
}

/**
 * Trains what a LoRA adapter's spec says of it, and tensors of the model where it is told to. On one engine and device the
 * same inputs give the same bits. Holds the engine until `dispose`.
 */
export class LoraTrainer {
  readonly totalSteps: number;
  readonly #options: LoraTrainerOptions;
  readonly #engine: StepEngine;
  readonly #start: Float32Array;
  readonly #hash: string;
  #step: number;
  /** The step after `#step`, when it was started early. */
  #ahead: StartedStep | undefined;
  #epoch: { number: number; batches: number[][] } | undefined;
  #endedAt = 0;

  private constructor(options: LoraTrainerOptions, engine: StepEngine, start: Float32Array, hash: string) {
    const { settings, examples, resume } = options;
    this.#options = options;
    this.#engine = engine;
    this.#start = start;
    this.#hash = hash;
    this.#step = resume?.step ?? 0;
    this.totalSteps = settings.epochs * Math.ceil(examples.length / settings.batchSize);
  }

  /**
   * Checks everything, then opens an engine and gives a trainer on it.
   * @throws TrainingError `no_examples`, `wrong_shape`, `too_long` or `wrong_checkpoint`; whatever opening the engine throws
   */
  static async open(options: LoraTrainerOptions, openEngine: OpenEngine): Promise<LoraTrainer> {
    const { config, spec, alsoTrains = [], layout, examples, settings, resume } = options;
    checkExamples(config, examples);
    const hash = settingsHash(settings, spec, layout, examples);
    if (alsoTrains.length > 0 && !options.start) {
      throw new TrainingError(
        'wrong_shape',
        "The model's own tensors are trained from their values; give these as start.",
      );
    }
    const given = options.start ?? new Float32Array(layout.size);
    checkLengths(layout, given, resume, hash);
    const size = trainedSize(config, options);
    if (size !== layout.size) {
      throw new TrainingError('wrong_shape', `The layout has ${layout.size} values, what is trained ${size}.`);
    }
    const modules = spec ? adaptedModules(config, spec) : [];
    const a = options.a ?? (spec ? publishedA(config, spec) : []);
    const start = spec?.trains === 'a-and-b' ? fromPublished(config, spec, a, given) : given;
    const zeros = new Float32Array(layout.size);
    const engine = await openEngine({
      config,
      spec,
      alsoTrains,
      frozenA: new Map(modules.map(({ name }, i) => [name, a[i]!])),
      vectors: resume ? vectorsOf(resume) : { values: start, firstMoment: zeros, secondMoment: zeros },
      workload: workloadOf(config, examples, settings.batchSize),
    });
    return new LoraTrainer(options, engine, start, hash);
  }

  /** Steps taken and reported so far. */
  get step(): number {
    return this.#step;
  }

  /**
   * Takes one optimiser step. Await it before asking for the next.
   * @param goesOn start the step after it too, before this one's result is back, where steps run beside the caller: a GPU
   *   then never waits. A checkpoint counts that step as taken.
   * @throws TrainingError `not_finite` when the loss or its gradient is NaN or infinite (the adapter is then unchanged, and
   *   this trainer at its end), `finished` after the last step
   * @throws BackendError `device_failed` when the GPU reported an error
   */
  async nextStep({ goesOn = false }: { goesOn?: boolean } = {}): Promise<StepReport> {
    if (this.#step >= this.totalSteps) {
      throw new TrainingError('finished', `All ${this.totalSteps} steps are done; take the delta.`);
    }
    const { epoch, learningRate, tokens, askedAt, measures } = this.#ahead ?? this.#startStep(this.#step);
    const hasNext = this.#step + 1 < this.totalSteps;
    this.#ahead = goesOn && hasNext && this.#engine.overlaps ? this.#startStep(this.#step + 1) : undefined;
    const { loss, gradientNorm, endedAt } = await measures.catch((error: unknown) => {
      this.#ahead = undefined;
      throw error;
    });
    if (!isSound({ loss, gradientNorm })) {
      this.#ahead = undefined;
      throw new TrainingError(
        'not_finite',
        `Step ${this.#step + 1} has loss ${loss} and gradient norm ${gradientNorm}; a lower learning rate may help.`,
      );
    }
    this.#step++;
    // A step started ahead waited for the one before it, and may have ended long before anybody asked.
    const beganAt = Math.max(askedAt, this.#endedAt);
    this.#endedAt = endedAt;
    return {
      step: this.#step,
      steps: this.totalSteps,
      epoch: epoch + 1,
      epochs: this.#options.settings.epochs,
      loss,
      gradientNorm,
      learningRate,
      tokens,
      milliseconds: endedAt - beganAt,
    };
  }

  /** A copy of everything needed to continue from here with `resume`. */
  async checkpoint(): Promise<TrainerCheckpoint> {
    const isAhead = this.#ahead !== undefined && isSound(await this.#ahead.measures);
    const step = this.#step + (isAhead ? 1 : 0);
    return { step, ...(await this.#engine.vectors()), settingsHash: this.#hash };
  }

  /** What was trained minus its start, flat, in layout order. */
  async delta(): Promise<Float32Array> {
    const { values } = await this.#engine.vectors();
    return values.map((value, i) => value - this.#start[i]!);
  }

  /** Frees the engine. */
  dispose(): void {
    this.#engine.dispose();
  }

  #startStep(index: number): StartedStep {
    const { examples, settings } = this.#options;
    const batchesPerEpoch = this.totalSteps / settings.epochs;
    const epoch = Math.floor(index / batchesPerEpoch);
    const rows = this.#batchesOf(epoch)[index % batchesPerEpoch]!.map((row) => examples[row]!);
    const learningRate = learningRateAt(index + 1, {
      totalSteps: this.totalSteps,
      warmupRatio: settings.warmupRatio,
      peak: settings.learningRate,
    });
    const batches = this.#microBatches(rows);
    const { weightDecay, clipNorm } = settings;
    const askedAt = performance.now();
    const measures = this.#engine
      .step(batches, { step: index + 1, learningRate, weightDecay, clipNorm })
      .then((found) => ({ ...found, endedAt: performance.now() }));
    // A step started early may fail before anybody asks for it.
    measures.catch(() => undefined);
    const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);
    return { epoch, learningRate, tokens, askedAt, measures };
  }

  #microBatches(rows: readonly EncodedExample[]): HostBatch[] {
    const scored = scoredCount(rows);
    const size = Math.min(this.#engine.batchRows, rows.length);
    return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
      makeHostBatch(this.#options.config, rows.slice(i * size, (i + 1) * size), scored),
    );
  }

  #batchesOf(epoch: number): number[][] {
    if (this.#epoch?.number !== epoch) {
      const { examples, settings } = this.#options;
      const { batchSize, seed } = settings;
      this.#epoch = { number: epoch, batches: epochBatches(examples, { batchSize, seed, epoch }) };
    }
    return this.#epoch.batches;
  }
}

/** A start as engines have it: A itself, for it is what AdamW moves and decays. */
function fromPublished(
  config: ModelConfig,
  spec: LoraSpec,
  a: readonly Float32Array[],
  given: Float32Array,
): Float32Array {
  const size = adapterSize(config, spec);
  const { values: b, a: start } = adapterFactors(config, spec, given.subarray(0, size), a);
  const parts = [b, ...start, given.subarray(size)];
  const flat = new Float32Array(given.length);
  let offset = 0;
  for (const part of parts) {
    flat.set(part, offset);
    offset += part.length;
  }
  return flat;
}

function isSound({ loss, gradientNorm }: StepMeasures): boolean {
  return Number.isFinite(loss) && Number.isFinite(gradientNorm);
}

function vectorsOf({ values, firstMoment, secondMoment }: TrainerCheckpoint): AdamVectors {
  return { values, firstMoment, secondMoment };
}

function checkLengths(layout: AdapterLayout, start: Float32Array, resume: TrainerCheckpoint | undefined, hash: string) {
  const vectors = [start, ...(resume ? Object.values(vectorsOf(resume)) : [])];
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
