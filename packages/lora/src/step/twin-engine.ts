/** The engine that is obviously right: every operation's twin, in double precision. For tests. */
import { type HostMemory, runTwin } from '../kernels/index.ts';
import { planStep, type StepPlan } from '../plan/index.ts';
import type { HostBatch } from './host-batch.ts';
import type { AdamVectors, OpenEngine, StepEngine, StepMeasures, StepSettings } from './step-engine.ts';
import { type FrozenA, storedValues, type WeightSource } from './weight-source.ts';
import { largestBatch } from './workload.ts';

/** Opens a twin engine on a source of weights. */
export function twinEngine(source: WeightSource): OpenEngine {
  return async ({ config, spec, alsoTrains = [], frozenA, vectors, workload }) => {
    const { rows, positions, scored } = largestBatch(workload, workload.rows);
    const capacity = { tokens: rows * positions, scored };
    const plan = planStep(config, spec, { capacity, positions, recomputes: false, alsoTrains });
    return TwinEngine.create(plan, source, frozenA, vectors);
  };
}

export class TwinEngine implements StepEngine {
  readonly batchRows = Infinity;
  readonly overlaps = false;
  readonly #plan: StepPlan;
  readonly #stored: ReadonlyMap<string, Float64Array>;
  readonly #state: HostMemory['state'];
  readonly #measures = new Float64Array(3);

  private constructor(plan: StepPlan, stored: ReadonlyMap<string, Float64Array>, vectors: AdamVectors) {
    this.#plan = plan;
    this.#stored = stored;
    const { parameters } = plan;
    const wide = (flat: Float32Array) => Float64Array.from(parameters.toDevice(flat));
    this.#state = {
      values: wide(vectors.values),
      gradient: new Float64Array(parameters.size),
      firstMoment: wide(vectors.firstMoment),
      secondMoment: wide(vectors.secondMoment),
    };
  }

  static async create(
    plan: StepPlan,
    source: WeightSource,
    frozenA: FrozenA,
    vectors: AdamVectors,
  ): Promise<TwinEngine> {
    const stored = new Map<string, Float64Array>();
    for (const [name, array] of plan.stored) {
      stored.set(name, Float64Array.from(await storedValues(array, source, frozenA)));
    }
    return new TwinEngine(plan, stored, vectors);
  }

  async step(batches: readonly HostBatch[], settings: StepSettings): Promise<StepMeasures> {
    const measures = this.#measures;
    batches.forEach(({ shape, inputs }, index) => {
      const memory = this.#memory(shape, inputs, { ...settings, accumulates: index > 0 }, measures);
      for (const operation of this.#plan.gradient) runTwin(operation, memory);
      if (index === batches.length - 1) runTwin({ kind: 'update' }, memory);
    });
    this.#round();
    return { loss: measures[0]!, gradientNorm: measures[1]! };
  }

  async vectors(): Promise<AdamVectors> {
    const { values, firstMoment, secondMoment } = this.#state;
    const { parameters } = this.#plan;
    return {
      values: parameters.fromDevice(values),
      firstMoment: parameters.fromDevice(firstMoment),
      secondMoment: parameters.fromDevice(secondMoment),
    };
  }

  dispose(): void {}

  /** Between steps the vectors are f32, as a checkpoint has them. */
  #round(): void {
    const { values, firstMoment, secondMoment } = this.#state;
    for (const vector of [values, firstMoment, secondMoment]) vector.set(Float32Array.from(vector));
  }

  #memory(
    shape: HostMemory['shape'],
    inputs: HostMemory['inputs'],
    scalars: HostMemory['scalars'],
    measures: Float64Array,
  ): HostMemory {
    return { shape, inputs, scalars, measures, stored: this.#stored, state: this.#state, values: new Map() };
  }
}
