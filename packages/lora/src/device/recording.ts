/**
 * Kernel launches, recorded once and replayed every step: pipelines are compiled, bind groups made and constants uploaded
 * before the first step, so that a step is one walk over a list.
 */
import type { BatchShape } from '../plan/index.ts';
import { BETA_1, BETA_2, type Binding, type Dispatch, type Grid, type StepScalars, wgslOf } from '../kernels/index.ts';
import type { GpuMemory } from './gpu-memory.ts';
import type { Pipelines } from './pipelines.ts';

/** Uniform buffers are bound at multiples of this on every device. */
const UNIFORM_ALIGNMENT = 256;
const STEP_BYTES = 48;

interface Launch {
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  grid: (shape: BatchShape) => Grid;
}

export class Recording {
  readonly #device: GPUDevice;
  readonly #launches: readonly Launch[];
  readonly #params: GPUBuffer;
  readonly #step: GPUBuffer;
  /** The grids of the last shape: consecutive calls ask for the same. */
  #grids: { key: string; list: readonly Grid[] } | undefined;

  private constructor(device: GPUDevice, launches: readonly Launch[], params: GPUBuffer, step: GPUBuffer) {
    this.#device = device;
    this.#launches = launches;
    this.#params = params;
    this.#step = step;
  }

  /**
   * Compiles and binds `dispatches` over the buffers of `memory`, which must be allocated.
   * @throws BackendError `device_failed` when a kernel does not compile or bind
   */
  static async record(dispatches: readonly Dispatch[], memory: GpuMemory, pipelines: Pipelines): Promise<Recording> {
    const { device } = memory;
    const compiled = await Promise.all(
      dispatches.map(({ label, bindings, params, ...rest }) =>
        pipelines.compile(
          label,
          wgslOf({ label, bindings, params, ...rest }),
          bindings.map(({ access }) => access),
          Object.keys(params).length > 0,
        ),
      ),
    );
    const params = device.createBuffer({
      label: 'params',
      size: Math.max(UNIFORM_ALIGNMENT, dispatches.length * UNIFORM_ALIGNMENT),
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    const step = device.createBuffer({
      label: 'step',
      size: STEP_BYTES,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(params, 0, paramBytes(dispatches));
    const launches = dispatches.map((dispatch, i): Launch => {
      const { pipeline, layout } = compiled[i]!;
      const buffers = dispatch.bindings.map(({ buffer }: Binding) => ({ buffer: memory.get(buffer) }));
      const constants = { buffer: params, offset: i * UNIFORM_ALIGNMENT, size: UNIFORM_ALIGNMENT };
      const resources = [...buffers, { buffer: step }, ...(Object.keys(dispatch.params).length > 0 ? [constants] : [])];
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      return {
        pipeline,
        bindGroup: device.createBindGroup({ label: dispatch.label, layout, entries }),
        grid: dispatch.grid,
      };
    });
    return new Recording(device, launches, params, step);
  }

  /** Number of launches at a batch's sizes. */
  launchesAt(shape: BatchShape): number {
    return this.#gridsOf(shape).filter((grid) => !grid.includes(0)).length;
  }

  /** Tells the kernels of the next replay about their batch and step. */
  write(shape: BatchShape, scalars: StepScalars): void {
    this.#device.queue.writeBuffer(this.#step, 0, stepBytes(shape, scalars));
  }

  /** Encodes every launch into one pass. */
  replay(pass: GPUComputePassEncoder, shape: BatchShape): void {
    const grids = this.#gridsOf(shape);
    for (let i = 0; i < grids.length; i++) {
      const [x, y, z] = grids[i]!;
      if (x * y * z === 0) continue;
      const { pipeline, bindGroup } = this.#launches[i]!;
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(x, y, z);
    }
  }

  dispose(): void {
    this.#params.destroy();
    this.#step.destroy();
  }

  #gridsOf(shape: BatchShape): readonly Grid[] {
    const key = `${shape.rows} ${shape.positions} ${shape.scored}`;
    if (this.#grids?.key !== key) this.#grids = { key, list: this.#launches.map(({ grid }) => grid(shape)) };
    return this.#grids.list;
  }
}

function paramBytes(dispatches: readonly Dispatch[]): ArrayBuffer {
  const bytes = new ArrayBuffer(Math.max(1, dispatches.length) * UNIFORM_ALIGNMENT);
  const view = new DataView(bytes);
  dispatches.forEach(({ label, params }, i) => {
    const values = Object.values(params);
    if (4 * values.length > UNIFORM_ALIGNMENT) throw new RangeError(`Recording: ${label} has too many params`);
    values.forEach(({ type, value }, j) => {
      const at = i * UNIFORM_ALIGNMENT + 4 * j;
      if (type === 'f32') view.setFloat32(at, value, true);
      else view.setUint32(at, value, true);
    });
  });
  return bytes;
}

function stepBytes(shape: BatchShape, scalars: StepScalars): ArrayBuffer {
  const { step, learningRate, weightDecay, clipNorm, accumulates } = scalars;
  const bytes = new ArrayBuffer(STEP_BYTES);
  new Uint32Array(bytes).set([
    shape.rows,
    shape.positions,
    shape.rows * shape.positions,
    shape.scored,
    accumulates ? 1 : 0,
  ]);
  new Float32Array(bytes, 20).set([
    learningRate,
    1 - learningRate * weightDecay,
    clipNorm,
    1 / (1 - BETA_1 ** step),
    1 / (1 - BETA_2 ** step),
  ]);
  return bytes;
}
