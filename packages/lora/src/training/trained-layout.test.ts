/** `LoraTrainer` on a model's own tensors: one contract, on every engine that carries out plans. */
import { viewTensor } from '@oneround/fl-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { parameterCount } from '../architecture/index.ts';
import { openDevice, requestAdapter } from '../device/index.ts';
import { type OpenEngine, type Trained, twinEngine, wasmEngine, webgpuEngine } from '../step/index.ts';
import { installNodeWebgpu, randomExamples, randomTensors, relativeError, tinyConfig } from '../testing/index.ts';
import { loadNodeKernels } from '../wasm/node-kernels.ts';
import { LoraTrainer, trainedLayout, trainedStart, weightsInMemory } from './index.ts';

const config = tinyConfig({ model_type: 'qwen2', num_hidden_layers: 1 });
const tensors = randomTensors(config, 31);
const weights = weightsInMemory(config, tensors);
const examples = randomExamples(config, [9, 4, 7, 6], 41);
const settings = {
  epochs: 4,
  batchSize: 2,
  maxTokens: 16,
  learningRate: 0.01,
  warmupRatio: 0.1,
  weightDecay: 0.01,
  clipNorm: 1,
  seed: 5,
};
const everything: Trained = { spec: null, alsoTrains: ['matrices', 'biases', 'norms'] };
const beside: Trained = {
  spec: { rank: 4, alpha: 8, targetModules: ['q_proj'], seed: 2 },
  alsoTrains: ['biases', 'norms'],
};
const bothSides: Trained = {
  spec: { rank: 6, alpha: 12, targetModules: ['q_proj', 'v_proj', 'up_proj'], seed: 2, trains: 'a-and-b' },
  alsoTrains: ['norms'],
};

async function options(trained: Trained) {
  const layout = await trainedLayout(config, trained);
  return { config, ...trained, layout, examples, settings, start: await trainedStart(config, trained, weights) };
}

async function train(trained: Trained, openEngine: OpenEngine, stopsAt = Infinity) {
  let training = await LoraTrainer.open(await options(trained), openEngine);
  const losses = [];
  while (training.step < training.totalSteps) {
    losses.push((await training.nextStep()).loss);
    if (training.step !== stopsAt) continue;
    const resume = structuredClone(await training.checkpoint());
    training.dispose();
    training = await LoraTrainer.open({ ...(await options(trained)), resume }, openEngine);
  }
  const delta = await training.delta();
  training.dispose();
  return { losses, delta };
}

const engines: { name: string; open: () => Promise<OpenEngine> }[] = [
  { name: 'the f64 twin', open: async () => twinEngine(weights) },
  { name: 'WASM', open: async () => wasmEngine(await loadNodeKernels(), weights) },
  {
    name: 'WebGPU',
    open: async () => {
      await installNodeWebgpu();
      return webgpuEngine(await openDevice(await requestAdapter()), weights);
    },
  },
];

describe('the layout of a whole model', () => {
  it('has every tensor, and starts at the checkpoint', async () => {
    const { layout, start } = await options(everything);
    expect(layout.size).toBe(parameterCount(config));
    for (const tensor of layout.tensors) expect(viewTensor(start, tensor)).toEqual(tensors.get(tensor.name)!.values);
  });

  it('has an adapter’s B first, at zero', async () => {
    const { layout, start } = await options(beside);
    const [b, ...own] = layout.tensors;
    expect(b).toMatchObject({ name: 'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight', shape: [24, 4] });
    expect(viewTensor(start, b!)).toEqual(new Float32Array(96));
    expect(own.map(({ name }) => name)).toContain('model.norm.weight');
  });

  it('has every A after every B, as differences from the published one', async () => {
    const { layout, start } = await options(bothSides);
    expect(layout.tensors.map(({ name, shape }) => [name.split('.').slice(-3, -1).join(' '), shape])).toEqual([
      ...[
        ['q_proj lora_B', [24, 6]],
        ['v_proj lora_B', [12, 6]],
        ['up_proj lora_B', [44, 6]],
      ],
      ...['q_proj', 'v_proj', 'up_proj'].map((name) => [`${name} lora_A`, [6, 24]]),
      ...layout.tensors.slice(6).map(({ name, shape }) => [name.split('.').slice(-3, -1).join(' '), shape]),
    ]);
    expect(start.subarray(0, layout.tensors[6]!.offset).every((value) => value === 0)).toBe(true);
  });

  it('needs a start', async () => {
    const { start: _, ...without } = await options(everything);
    await expect(LoraTrainer.open(without, twinEngine(weights))).rejects.toMatchObject({ code: 'wrong_shape' });
  });
});

describe.each(engines)('LoraTrainer on $name', { timeout: 120_000 }, ({ open }) => {
  let openEngine: OpenEngine;

  // Once: Dawn does not survive being installed twice in a process.
  beforeAll(async () => {
    openEngine = await open();
  });

  it.each([
    ['everything', everything],
    ['biases and norms beside an adapter', beside],
    ['A and B of an adapter, beside norms', bothSides],
  ])('trains %s: falling losses, the twin’s delta, the same bits after a stop', async (_, trained) => {
    const { losses, delta } = await train(trained, openEngine);
    expect(losses).toHaveLength(8);
    expect(losses.at(-1)!).toBeLessThan(0.97 * losses[0]!);
    expect(await train(trained, openEngine, 3)).toEqual({ losses, delta });
    const expected = await train(trained, twinEngine(weights));
    losses.forEach((loss, step) => expect(Math.abs(loss / expected.losses[step]! - 1)).toBeLessThan(1e-4));
    expect(relativeError(delta, expected.delta)).toBeLessThan(1e-2);
  });
});
