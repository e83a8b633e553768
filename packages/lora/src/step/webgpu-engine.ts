/**
 * The recorded step on a GPU: planned, compiled and bound once, then replayed. A step is one write of its batch and
 * scalars, one pass and one submit for each micro-batch; its loss comes back through one of a few staging buffers while
 * the next step may already run.
 */
import {
  BackendError,
  type GpuDevice,
  GpuMemory,
  MEASURES_BYTES,
  Recording,
  underErrorScopes,
} from '../device/index.ts';
import { type BatchInputs, dispatchesOf, type FlatState } from '../kernels/index.ts';
import type { StoredFormat } from '../packing/index.ts';
import type { Operation, StepPlan } from '../plan/index.ts';
import { allocateStored, assertBindable, splitForBinding, storedFormats, uploadStored } from './gpu-weights.ts';
import { type HostBatch, inputLengths } from './host-batch.ts';
import { StagingBuffers } from './staging-buffers.ts';
import { planWithin, totalBytes } from './memory-plan.ts';
import type { AdamVectors, OpenEngine, StepEngine, StepMeasures, StepSettings } from './step-engine.ts';
import type { FrozenA, WeightSource } from './weight-source.ts';
import { type FixedTraits, forThisProcess, tunedLoop, type TuningStore } from './tuning.ts';

export interface WebgpuOptions {
  budget?: number;
  tuning?: TuningStore;
}

/** How much less is planned for after a device turned out to have no room. */
const LEANER = 0.8;

/**
 * Opens a recorded step on a GPU.
 * @param options.budget bytes that training may take there; the device's largest buffer when not given, for WebGPU tells no
 *   more. Where there is less room than that, leaner plans are tried.
 * @param options.tuning where what was measured on this adapter is kept; in this process alone when not given
 */
export function webgpuEngine(gpu: GpuDevice, source: WeightSource, options: WebgpuOptions = {}): OpenEngine {
  return async ({ config, frozenA, vectors, workload, ...trained }) => {
    const limits = { total: options.budget ?? gpu.device.limits.maxBufferSize, binding: gpu.bindingBytes };
    for (;;) {
      const { plan, microRows, bytes } = planWithin(limits, config, trained, workload, ({ stored }) =>
        storedFormats(stored, source),
      );
      try {
        return await WebgpuEngine.create(gpu, plan, microRows, source, frozenA, vectors, options.tuning);
      } catch (error) {
        if (!(error instanceof BackendError) || error.code !== 'out_of_memory') throw error;
        limits.total = LEANER * totalBytes(bytes);
      }
    }
  };
}

export class WebgpuEngine implements StepEngine {
  readonly batchRows: number;
  readonly overlaps = true;
  readonly #plan: StepPlan;
  readonly #memory: GpuMemory;
  readonly #gradient: Recording;
  readonly #update: Recording;
  readonly #staging: StagingBuffers;

  private constructor(batchRows: number, plan: StepPlan, memory: GpuMemory, gradient: Recording, update: Recording) {
    this.batchRows = batchRows;
    this.#plan = plan;
    this.#memory = memory;
    this.#gradient = gradient;
    this.#update = update;
    this.#staging = new StagingBuffers(memory.device);
  }

  /**
   * Uploads the model, compiles every kernel and takes `vectors` over. Matrices that the GPU cannot read as one array are
   * split.
   * @throws BackendError `tensor_too_large`, `out_of_memory` or `device_failed`; whatever reading the weights throws
   */
  static async create(
    gpu: GpuDevice,
    wholePlan: StepPlan,
    batchRows: number,
    source: WeightSource,
    frozenA: FrozenA,
    vectors: AdamVectors,
    tuning: TuningStore = forThisProcess,
  ): Promise<WebgpuEngine> {
    const { device, bindingBytes } = gpu;
    const plan = splitForBinding(wholePlan, storedFormats(wholePlan.stored, source), bindingBytes);
    const memory = new GpuMemory(device, ({ id }) => plan.arrangement.slotOf.get(id)!);
    const recordings: Recording[] = [];
    try {
      const formats = storedFormats(plan.stored, source);
      const bytes = () => memory.bytes;
      // Apart, so that a device without room says so before a model is read.
      await underErrorScopes(device, bytes, async () => {
        allocate(memory, plan, vectors, bindingBytes);
        allocateStored(plan.stored, formats, memory, bindingBytes);
      });
      return await underErrorScopes(device, bytes, async () => {
        await uploadStored(plan.stored, formats, source, frozenA, memory);
        const fixed = fixedTraits(gpu, formats);
        const traits = { ...fixed, productLoop: await tunedLoop(gpu, plan, memory, fixed, tuning) };
        const record = async (operations: readonly Operation[]) => {
          const dispatches = operations.flatMap((operation) => dispatchesOf(operation, traits));
          const recording = await Recording.record(dispatches, memory, gpu.pipelines);
          recordings.push(recording);
          return recording;
        };
        const gradient = await record(plan.gradient);
        return new WebgpuEngine(batchRows, plan, memory, gradient, await record([{ kind: 'update' }]));
      });
    } catch (error) {
      for (const recording of recordings) recording.dispose();
      memory.dispose();
      throw error;
    }
  }

  /** Bytes of all buffers on the GPU. */
  get bytes(): number {
    return this.#memory.bytes;
  }

  async step(batches: readonly HostBatch[], settings: StepSettings): Promise<StepMeasures> {
    const { device } = this.#memory;
    const measures = this.#memory.get({ of: 'measures' });
    const staging = this.#staging.take(16);
    batches.forEach(({ shape, inputs }, index) => {
      const isLast = index === batches.length - 1;
      const scalars = { ...settings, accumulates: index > 0 };
      for (const [name, values] of Object.entries(inputs)) this.#writeInput(name as keyof BatchInputs, values);
      this.#gradient.write(shape, scalars);
      if (isLast) this.#update.write(shape, scalars);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      this.#gradient.replay(pass, shape);
      if (isLast) this.#update.replay(pass, shape);
      pass.end();
      if (isLast) encoder.copyBufferToBuffer(measures, 0, staging, 0, 16);
      device.queue.submit([encoder.finish()]);
    });
    const [loss = NaN, gradientNorm = NaN] = await this.#staging.read(staging);
    return { loss, gradientNorm };
  }

  async vectors(): Promise<AdamVectors> {
    const [values, firstMoment, secondMoment] = await Promise.all([
      this.#read('values'),
      this.#read('firstMoment'),
      this.#read('secondMoment'),
    ]);
    return { values, firstMoment, secondMoment };
  }

  dispose(): void {
    this.#gradient.dispose();
    this.#update.dispose();
    this.#staging.dispose();
    this.#memory.dispose();
  }

  #writeInput(name: keyof BatchInputs, values: Int32Array | Float32Array): void {
    const { buffer, byteOffset, byteLength } = values;
    const { device } = this.#memory;
    device.queue.writeBuffer(this.#memory.get({ of: 'input', name }), 0, buffer, byteOffset, byteLength);
  }

  async #read(name: keyof FlatState): Promise<Float32Array> {
    const { device } = this.#memory;
    const source = this.#memory.get({ of: 'state', name });
    const staging = this.#staging.take(source.size);
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, staging, 0, source.size);
    device.queue.submit([encoder.finish()]);
    return this.#plan.parameters.fromDevice(await this.#staging.read(staging));
  }
}

function fixedTraits({ device, isSoftware }: GpuDevice, formats: ReadonlyMap<string, StoredFormat>): FixedTraits {
  return {
    isSoftware,
    maxInvocations: device.limits.maxComputeInvocationsPerWorkgroup,
    formatOf: (name) => formats.get(name) ?? 'F32',
  };
}

function allocate(
  memory: GpuMemory,
  { arrangement, parameters, options }: StepPlan,
  vectors: AdamVectors,
  bindingBytes: number,
): void {
  assertBindable(bindingBytes, 'All that is trained', 4 * parameters.size, 'to train less, or a smaller model,');
  arrangement.slots.forEach((bytes, slot) => memory.allocateSlot(slot, bytes));
  for (const [name, length] of Object.entries(inputLengths(options.capacity))) {
    memory.allocate({ of: 'input', name: name as keyof BatchInputs }, 4 * length);
  }
  memory.allocate({ of: 'measures' }, MEASURES_BYTES);
  memory.allocate({ of: 'state', name: 'gradient' }, 4 * parameters.size);
  for (const [name, flat] of Object.entries(vectors)) {
    const buffer = memory.allocate({ of: 'state', name: name as keyof AdamVectors }, 4 * parameters.size);
    memory.device.queue.writeBuffer(buffer, 0, parameters.toDevice(flat));
  }
}
