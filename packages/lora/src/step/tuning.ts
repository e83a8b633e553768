/**
 * Which loop the wide products of a plan run in on a GPU: both are timed on its largest linear layer, once for an adapter
 * and a format of weights. The choice is kept, because loops add up in another order: the same seed gives the same bits as
 * long as the choice stays. It is no part of a checkpoint, which goes on under either loop with other rounding. To be as
 * stable as it can where nothing is kept, it only leaves the tile, which is meant for GPUs, for something clearly faster.
 *
 * Programs on the CPU are not measured: `registers` was 1.05 to 2 times as fast as `tile` in every format on SwiftShader, and
 * 0.75 to 1.04 times on lavapipe (512 x 128 x 768, 2026-11), where compiling a kernel takes longer than a step.
 */
import { type GpuDevice, type GpuMemory, Recording } from '../device/index.ts';
import { dispatchesOf, type KernelTraits, type ProductLoop, productLoops } from '../kernels/index.ts';
import type { Linear, StepPlan } from '../plan/index.ts';

/** Keeps choices by a text that names adapter and format. */
export interface TuningStore {
  get(key: string): Promise<string | undefined>;
  set(key: string, choice: ProductLoop): Promise<void>;
}

/** What is known of a device before anything was measured. */
export type FixedTraits = Omit<KernelTraits, 'productLoop'>;

const kept = new Map<string, string>();

/** Forgets with the process. */
export const forThisProcess: TuningStore = {
  get: async (key) => kept.get(key),
  set: async (key, choice) => void kept.set(key, choice),
};

/** How many times faster than the tile the registers must be. */
const CLEARLY = 1.25;
/** Floating-point operations of a launch that is timed, and the rows that it has at least: a tile's. */
const MOST_FLOPS = 2 ** 32;
const LEAST_ROWS = 64;
/** A run is as many launches as take so long; the best of RUNS counts. */
const RUN_MS = 20;
const MOST_LAUNCHES = 64;
const RUNS = 3;

/**
 * The loop for a plan whose buffers `memory` holds; it leaves their activations changed.
 * @throws BackendError `device_failed` when a kernel does not compile
 */
export async function tunedLoop(
  gpu: GpuDevice,
  plan: StepPlan,
  memory: GpuMemory,
  traits: FixedTraits,
  store: TuningStore,
): Promise<ProductLoop> {
  if (traits.isSoftware) return 'registers';
  const layer = largestLayer(plan);
  if (!layer) return 'tile';
  const format = layer.weight.from === 'stored' ? traits.formatOf(layer.weight.name) : 'F32';
  const key = `${gpu.name}, ${format}`;
  const known = await store.get(key);
  const choice = productLoops.find((loop) => loop === known);
  if (choice) return choice;
  const timed = await Promise.all(
    productLoops.map(async (productLoop) => {
      const dispatches = dispatchesOf(layer, { ...traits, productLoop });
      return { loop: productLoop, recording: await Recording.record(dispatches, memory, gpu.pipelines) };
    }),
  );
  try {
    const found = await bestTimes(timed, gpu.device, rowsToTime(layer, plan));
    const chosen = found.tile > CLEARLY * found.registers ? 'registers' : 'tile';
    await store.set(key, chosen);
    return chosen;
  } finally {
    for (const { recording } of timed) recording.dispose();
  }
}

function largestLayer({ gradient }: StepPlan): Linear | undefined {
  const layers = gradient.filter((op): op is Linear => op.kind === 'linear' && op.rows.of === 'positions');
  return layers.toSorted((a, b) => sizeOf(b) - sizeOf(a))[0];
}

function sizeOf({ weight: { rows, columns } }: Linear): number {
  return rows * columns;
}

function rowsToTime(layer: Linear, { options }: StepPlan): number {
  const most = MOST_FLOPS / (2 * sizeOf(layer));
  return Math.min(options.capacity.tokens, Math.max(LEAST_ROWS, Math.floor(most)));
}

/** Milliseconds of a launch in each loop. They take turns, so that a busy moment meets both. */
async function bestTimes(
  timed: readonly { loop: ProductLoop; recording: Recording }[],
  device: GPUDevice,
  rows: number,
): Promise<Record<ProductLoop, number>> {
  const shape = { rows: 1, positions: rows, scored: 0 };
  const run = async (recording: Recording, launches: number) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < launches; i++) recording.replay(pass, shape);
    pass.end();
    const began = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - began) / launches;
  };
  let launches = MOST_LAUNCHES;
  for (const { recording } of timed) {
    recording.write(shape, { step: 1, learningRate: 0, weightDecay: 0, clipNorm: 0, accumulates: false });
    await run(recording, 1);
    launches = Math.min(launches, Math.max(1, Math.ceil(RUN_MS / (await run(recording, 1)))));
  }
  const best = { registers: Infinity, tile: Infinity };
  for (let count = 0; count < RUNS; count++) {
    for (const { loop, recording } of timed) best[loop] = Math.min(best[loop], await run(recording, launches));
  }
  return best;
}
