/** What the planner says of memory, against what engines take. */
import { beforeAll, describe, expect, it } from 'vitest';
import { adaptedModules, publishedA } from '../adapter/index.ts';
import { linearLayers, type ModelConfig } from '../architecture/index.ts';
import { type GpuDevice, openDevice, requestAdapter } from '../device/index.ts';
import type { Packing, StoredFormat } from '../packing/index.ts';
import { type StepPlan, trainedTensors } from '../plan/index.ts';
import { configs, installNodeWebgpu, packedFile, randomExamples, randomTensors, tinyConfig } from '../testing/index.ts';
import { splitForBinding, storedBytes } from './gpu-weights.ts';
import { makeHostBatch, scoredCount } from './host-batch.ts';
import { packedPlanBytes, planWithin, totalBytes } from './memory-plan.ts';
import type { Trained } from './step-engine.ts';
import { openWeights } from './weight-source.ts';
import { WebgpuEngine, webgpuEngine } from './webgpu-engine.ts';
import { workloadOf } from './workload.ts';

const MiB = 2 ** 20;
const everything = ['matrices', 'biases', 'norms'] as const;

function loraOn(config: ModelConfig, rank: number) {
  const targetModules = config.sublayers.flatMap(linearLayers).map(({ name }) => name);
  return { rank, alpha: rank, targetModules, seed: 1 };
}

/** Numbers that are trained. */
function trainedSize(config: ModelConfig, { spec, alsoTrains = [] }: Trained): number {
  const adapter = spec ? adaptedModules(config, spec).reduce((sum, { out, rank }) => sum + out * rank, 0) : 0;
  const own = [...trainedTensors(config, alsoTrains).values()];
  return own.reduce((sum, shape) => sum + shape.reduce((product, n) => product * n, 1), adapter);
}

function allF16({ stored }: StepPlan): Map<string, StoredFormat> {
  return new Map([...stored.keys()].map((name) => [name, 'F16']));
}

function sizesInF16({ stored }: StepPlan): number[] {
  return [...stored.values()].map((array) => storedBytes(array, 'F16'));
}

describe('the planner', () => {
  const llama = tinyConfig({ vocab_size: 128_256, hidden_size: 2048, intermediate_size: 8192, num_hidden_layers: 1 });

  it('fits a table of 501 MiB into arrays of 128 MiB', () => {
    const limits = { total: 2000 * MiB, binding: 128 * MiB };
    const workload = { rows: 1, positions: 64, scoredPerRow: [64] };
    const { plan, bytes } = planWithin(limits, llama, { spec: loraOn(llama, 4) }, workload, allF16);
    expect(Math.max(...sizesInF16(plan))).toBe(2 * 128_256 * 2048);
    const sizes = sizesInF16(splitForBinding(plan, allF16(plan), limits.binding));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(limits.binding);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(bytes.weights);
  });

  it('reckons four f32 for every number that is trained', () => {
    const { config } = configs.qwen2!;
    const shape = { rows: 2, positions: 16 };
    for (const alsoTrains of [[], ['biases'], ['norms'], everything] as const) {
      const trained = { spec: loraOn(config, 4), alsoTrains };
      expect(packedPlanBytes(config, trained, shape, 'int4', true).trained).toBe(16 * trainedSize(config, trained));
    }
  });

  it('goes to single rows where activations are too large for one array, and then refuses', () => {
    const { config } = configs.qwen2!;
    const trained = { spec: loraOn(config, 4) };
    const workload = { rows: 4, positions: 16, scoredPerRow: [16, 16, 16, 16] };
    // Gate and up of a row.
    const largest = 4 * 16 * 2 * 44;
    const within = (binding: number) =>
      planWithin({ total: 100 * MiB, binding }, config, trained, workload, () => new Map());
    expect(within(4 * largest).microRows).toBe(4);
    expect(within(largest).microRows).toBe(1);
    expect(() => within(largest - 1)).toThrow('needs 0.00563 MB in one piece here and this device allows 0.00563 MB');
  });

  it('refuses to train a whole model, by the bytes of single rows', () => {
    const trained = { spec: null, alsoTrains: everything };
    const { config } = configs.qwen2!;
    const needed = totalBytes(packedPlanBytes(config, trained, { rows: 1, positions: 16 }, 'f16', true));
    const workload = { rows: 4, positions: 16, scoredPerRow: [16, 16, 16, 16] };
    const refused = () => planWithin({ total: needed - 1, binding: MiB }, config, trained, workload, () => new Map());
    const size = `${(needed / 1e6).toPrecision(3)} MB`;
    expect(refused).toThrow(`needs ${size} here and this device allows ${size}: train less of it, choose shorter rows`);
    const allowed = planWithin({ total: needed, binding: MiB }, config, trained, workload, () => new Map());
    expect(allowed.microRows).toBe(1);
  });
});

interface Case {
  name: string;
  config: ModelConfig;
  trained: Trained;
  packing: Packing;
  bindingBytes: number;
  /** What is planned for, of two rows. */
  planned: { rows: number; recomputes: boolean };
}

const tiny = tinyConfig({ num_hidden_layers: 1, vocab_size: 150 });
const qwen = tinyConfig({ model_type: 'qwen2', num_hidden_layers: 1 });
const cases: Case[] = [
  {
    name: 'a split table in int4',
    config: tiny,
    trained: { spec: loraOn(tiny, 4) },
    packing: 'int4',
    bindingBytes: 5000,
    planned: { rows: 1, recomputes: true },
  },
  {
    name: 'biases and norms beside an adapter on f16',
    config: qwen,
    trained: { spec: loraOn(qwen, 4), alsoTrains: ['biases', 'norms'] },
    packing: 'f16',
    bindingBytes: MiB,
    planned: { rows: 2, recomputes: false },
  },
  {
    name: 'everything',
    config: qwen,
    trained: { spec: null, alsoTrains: everything },
    packing: 'f16',
    bindingBytes: MiB,
    planned: { rows: 2, recomputes: false },
  },
];

describe('an engine on a GPU', { timeout: 120_000 }, () => {
  let gpu: GpuDevice;

  beforeAll(async () => {
    await installNodeWebgpu();
    gpu = await openDevice(await requestAdapter());
  });

  it.each(cases)(
    'takes what was planned, and works: $name',
    async ({ config, trained, packing, bindingBytes, planned }) => {
      const tensors = randomTensors(config, 21);
      const file = await packedFile(config, tensors, packing);
      const source = await openWeights(config, file.read, file.bytes);
      const examples = randomExamples(config, [8, 8], 23).map((row) => ({ ...row, labels: row.ids }));
      const modules = trained.spec ? adaptedModules(config, trained.spec) : [];
      const a = trained.spec ? publishedA(config, trained.spec) : [];
      const start = () => new Float32Array(trainedSize(config, trained)).fill(0.01);
      const engine = await webgpuEngine(
        { ...gpu, bindingBytes },
        source,
      )({
        config,
        ...trained,
        frozenA: new Map(modules.map(({ name }, i) => [name, a[i]!])),
        vectors: { values: start(), firstMoment: start().fill(0), secondMoment: start().fill(0) },
        workload: workloadOf(config, examples, 2),
      });
      const { rows, recomputes } = planned;
      expect(engine.batchRows).toBe(rows);
      const bytes = totalBytes(packedPlanBytes(config, trained, { rows, positions: 8 }, packing, recomputes));
      expect((engine as WebgpuEngine).bytes).toBe(bytes);
      const settings = { step: 1, learningRate: 1e-3, weightDecay: 0, clipNorm: 1 };
      const batches = Array.from({ length: 2 / rows }, (_, i) =>
        makeHostBatch(config, examples.slice(i * rows, (i + 1) * rows), scoredCount(examples)),
      );
      const { loss } = await engine.step(batches, settings);
      engine.dispose();
      expect(loss).toBeGreaterThan(0);
    },
  );
});
