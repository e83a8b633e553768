/**
 * The planned step on the CPU, in WebAssembly: the same operations in the same order, one call of a kernel each. Weights are
 * unpacked to f32 when they are loaded, for a CPU gains more from one fast product than it loses by memory.
 */
import type { BatchInputs, FlatState } from '../kernels/index.ts';
import { readWeight } from '../packing/index.ts';
import type { Operation, StepPlan, StoredArray } from '../plan/index.ts';
import { MEASURES_BYTES, runOnWasm, type WasmKernels, WasmMemory } from '../wasm/index.ts';
import { storedBytes } from './gpu-weights.ts';
import { type HostBatch, inputLengths } from './host-batch.ts';
import { planWithin } from './memory-plan.ts';
import type { AdamVectors, OpenEngine, StepEngine, StepMeasures, StepSettings } from './step-engine.ts';
import { type FrozenA, inFileOrder, paddedRows, pieceOf, storedValues, type WeightSource } from './weight-source.ts';

/** A WebAssembly memory ends at 4 GiB. */
const MOST_BYTES = 4 * 2 ** 30 - 64 * 2 ** 20;

/** A long step lets the event loop turn this often: heartbeats and the volunteer's wishes wait no longer. */
const MOST_BLOCKED_MS = 100;

/** Opens a planned step in WebAssembly. */
export function wasmEngine(kernels: WasmKernels, source: WeightSource): OpenEngine {
  return async ({ config, frozenA, vectors, workload, ...trained }) => {
    const { plan, microRows } = planWithin(
      { total: MOST_BYTES, binding: MOST_BYTES },
      config,
      trained,
      workload,
      () => new Map(),
    );
    return WasmEngine.create(kernels, plan, microRows, source, frozenA, vectors);
  };
}

export class WasmEngine implements StepEngine {
  readonly batchRows: number;
  readonly overlaps = false;
  readonly #plan: StepPlan;
  readonly #memory: WasmMemory;
  #halted = false;
  /** The step asked for last: the next one begins after it. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(plan: StepPlan, batchRows: number, memory: WasmMemory) {
    this.#plan = plan;
    this.batchRows = batchRows;
    this.#memory = memory;
  }

  /** Unpacks the model and takes `vectors` over. @throws BackendError `out_of_memory`; whatever reading the weights throws */
  static async create(
    kernels: WasmKernels,
    plan: StepPlan,
    batchRows: number,
    source: WeightSource,
    frozenA: FrozenA,
    vectors: AdamVectors,
  ): Promise<WasmEngine> {
    const { arrangement, options } = plan;
    const memory = new WasmMemory(kernels, options.positions, ({ id }) => arrangement.slotOf.get(id)!);
    allocate(memory, plan);
    for (const [name, flat] of Object.entries(vectors)) {
      memory.write({ of: 'state', name: name as keyof AdamVectors }, plan.parameters.toDevice(flat));
    }
    await unpackStored(memory, plan.stored, source, frozenA);
    return new WasmEngine(plan, batchRows, memory);
  }

  /** Bytes of the whole memory. */
  get bytes(): number {
    return this.#memory.bytes;
  }

  step(batches: readonly HostBatch[], settings: StepSettings): Promise<StepMeasures> {
    const result = this.#last.then(() => this.#take(batches, settings));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async vectors(): Promise<AdamVectors> {
    await this.#last;
    const read = (name: keyof FlatState) =>
      this.#plan.parameters.fromDevice(this.#memory.floats({ of: 'state', name }));
    return { values: read('values'), firstMoment: read('firstMoment'), secondMoment: read('secondMoment') };
  }

  /** Nothing to do: the memory goes with the engine. */
  dispose(): void {}

  async #take(batches: readonly HostBatch[], settings: StepSettings): Promise<StepMeasures> {
    if (this.#halted) return { loss: NaN, gradientNorm: NaN };
    let turnedAt = performance.now();
    for (const [index, { shape, inputs }] of batches.entries()) {
      const scalars = { ...settings, accumulates: index > 0 };
      for (const [name, values] of Object.entries(inputs)) {
        this.#memory.write({ of: 'input', name: name as keyof BatchInputs }, values);
      }
      const isLast = index === batches.length - 1;
      const operations: readonly Operation[] = isLast
        ? [...this.#plan.gradient, { kind: 'update' }]
        : this.#plan.gradient;
      for (const operation of operations) {
        runOnWasm(operation, this.#memory, shape, scalars);
        if (performance.now() - turnedAt < MOST_BLOCKED_MS) continue;
        await eventLoopTurn();
        turnedAt = performance.now();
      }
    }
    const [loss = NaN, gradientNorm = NaN] = this.#memory.floats({ of: 'measures' });
    this.#halted = !Number.isFinite(loss) || !Number.isFinite(gradientNorm);
    return { loss, gradientNorm };
  }
}

function allocate(memory: WasmMemory, { arrangement, parameters, options, stored }: StepPlan): void {
  arrangement.slots.forEach((bytes, slot) => memory.allocateSlot(slot, bytes));
  for (const [name, length] of Object.entries(inputLengths(options.capacity))) {
    memory.allocate({ of: 'input', name: name as keyof BatchInputs }, 4 * length);
  }
  memory.allocate({ of: 'measures' }, MEASURES_BYTES);
  for (const name of ['values', 'gradient', 'firstMoment', 'secondMoment'] as const) {
    memory.allocate({ of: 'state', name }, 4 * parameters.size);
  }
  for (const [name, array] of stored) memory.allocate({ of: 'stored', name }, storedBytes(array, 'F32'));
}

/** In the file's order, one tensor at a time. */
async function unpackStored(
  memory: WasmMemory,
  stored: ReadonlyMap<string, StoredArray>,
  source: WeightSource,
  frozenA: FrozenA,
): Promise<void> {
  for (const [name, array] of stored) {
    if (array.kind !== 'matrix') memory.write({ of: 'stored', name }, await storedValues(array, source, frozenA));
  }
  for (const { name, matrix, row, piece, tensor } of inFileOrder(stored, source)) {
    const { columns } = matrix;
    const values = paddedRows([pieceOf(await readWeight(source.read, tensor), piece, columns)], columns);
    memory.write({ of: 'stored', name }, values, row * Math.ceil(columns / 4) * 4);
  }
}

function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
