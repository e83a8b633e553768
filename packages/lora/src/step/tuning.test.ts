/** The loop of wide products is measured on GPUs, once for an adapter and a format. Here a program is told to be one. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type GpuDevice, GpuMemory, openDevice, requestAdapter } from '../device/index.ts';
import { bytesOf, planStep, readsOf, writesOf } from '../plan/index.ts';
import { installNodeWebgpu, loadFixture } from '../testing/index.ts';
import { tunedLoop, type TuningStore } from './tuning.ts';

const { config, adapter } = loadFixture('llama-gqa-tied');
const capacity = { tokens: 70, scored: 70 };
const plan = planStep(config, adapter.spec, { capacity, positions: 35, recomputes: false });

/** A store that shows what it holds and how often it was written. */
function openStore(entries: [string, string][] = []) {
  const kept = new Map(entries);
  const written: string[] = [];
  const store: TuningStore = {
    get: async (key) => kept.get(key),
    set: async (key, choice) => {
      written.push(key);
      kept.set(key, choice);
    },
  };
  return { store, kept, written };
}

/** Every buffer of the plan, holding zeros. */
function memoryFor(device: GPUDevice): GpuMemory {
  const memory = new GpuMemory(device);
  const values = new Map(
    plan.gradient.flatMap((op) => [...readsOf(op), ...writesOf(op)]).map((view) => [view.value.id, view.value]),
  );
  for (const value of values.values()) memory.allocate({ of: 'value', value }, bytesOf(value));
  for (const name of plan.stored.keys()) memory.allocate({ of: 'stored', name }, 2 ** 20);
  memory.allocate({ of: 'state', name: 'values' }, 4 * plan.parameters.size);
  return memory;
}

describe('tuning', { timeout: 120_000 }, () => {
  let gpu: GpuDevice;

  beforeAll(async () => {
    await installNodeWebgpu();
    gpu = await openDevice(await requestAdapter());
  });

  async function tuned({ store }: { store: TuningStore }, format: 'F32' | 'int8' = 'F32', isSoftware = false) {
    const { device } = gpu;
    const memory = memoryFor(device);
    const traits = {
      isSoftware,
      maxInvocations: device.limits.maxComputeInvocationsPerWorkgroup,
      formatOf: () => format,
    };
    try {
      return await tunedLoop(gpu, plan, memory, traits, store);
    } finally {
      memory.dispose();
    }
  }

  it('measures once, and keeps the choice under the names of adapter and format', async () => {
    const shown = openStore();
    const first = await tuned(shown);
    expect([...shown.kept]).toEqual([[`${gpu.name}, F32`, first]]);
    expect(await tuned(shown)).toBe(first);
    expect(shown.written).toHaveLength(1);
  });

  it.each(['registers', 'tile'])('takes what is kept as it is: %s', async (loop) => {
    const shown = openStore([[`${gpu.name}, int8`, loop]]);
    expect(await tuned(shown, 'int8')).toBe(loop);
    expect(shown.written).toEqual([]);
  });

  it('measures again where it does not know what is kept', async () => {
    const shown = openStore([[`${gpu.name}, F32`, 'abacus']]);
    const loop = await tuned(shown);
    expect(['registers', 'tile']).toContain(loop);
    expect(shown.kept.get(`${gpu.name}, F32`)).toBe(loop);
  });

  it('takes the registers on a program without measuring', async () => {
    const shown = openStore();
    expect(await tuned(shown, 'F32', true)).toBe('registers');
    expect(shown.written).toEqual([]);
  });
});
