/** Matrices larger than what a device can read as one array: split, a step gives the loss, gradient and update of the whole. */
import { beforeAll, describe, expect, it } from 'vitest';
import { adaptedModules, type LoraSpec, publishedA } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import { type GpuDevice, openDevice, requestAdapter } from '../device/index.ts';
import type { Packing } from '../packing/index.ts';
import { planStep, splitMatrices, type StepPlan, type StoredMatrix } from '../plan/index.ts';
import {
  configs,
  installNodeWebgpu,
  packedFile,
  randomB,
  randomExamples,
  randomTensors,
  relativeError,
  tinyConfig,
} from '../testing/index.ts';
import { loadNodeKernels } from '../wasm/node-kernels.ts';
import { splitForBinding, storedBytes, storedFormats } from './gpu-weights.ts';
import { makeHostBatch, scoredCount } from './host-batch.ts';
import type { AdamVectors, StepEngine } from './step-engine.ts';
import { TwinEngine } from './twin-engine.ts';
import { WasmEngine } from './wasm-engine.ts';
import { WebgpuEngine } from './webgpu-engine.ts';
import { type FrozenA, openWeights, type WeightSource, weightsInMemory } from './weight-source.ts';

interface Case {
  name: string;
  config: ModelConfig;
  targets: readonly string[];
  packing: Packing | null;
  /** What a device reads as one array. */
  bindingBytes: number;
  /** Stored matrices before and after. */
  matrices: readonly [number, number];
}

const own = { vocab_size: 150, tie_word_embeddings: false };
const odd = { hidden_size: 27, num_attention_heads: 3, num_key_value_heads: 1, head_dim: 10, intermediate_size: 31 };
const gpt2 = { ...configs.gpt2!.config, vocabSize: 150 };
const cases: Case[] = [
  {
    name: 'f32, tied, biases; q, k and v cut within k',
    config: tinyConfig({ model_type: 'qwen2', vocab_size: 150 }),
    targets: ['q_proj', 'v_proj'],
    packing: null,
    bindingBytes: 1600,
    matrices: [9, 38],
  },
  {
    name: 'f32, own head, odd sizes; adapted gate and up cut within both',
    config: tinyConfig({ ...own, ...odd, attention_bias: true, mlp_bias: true }),
    targets: ['gate_proj', 'up_proj'],
    packing: null,
    bindingBytes: 2000,
    matrices: [10, 48],
  },
  {
    name: 'int4, tied',
    config: tinyConfig({ vocab_size: 150 }),
    targets: ['q_proj', 'v_proj'],
    packing: 'int4',
    bindingBytes: 1200,
    matrices: [9, 19],
  },
  {
    name: 'int4, own head, soft cap',
    config: { ...configs.gemma2!.config, vocabSize: 150, head: 'lm_head' },
    targets: ['q_proj', 'v_proj'],
    packing: 'int4',
    bindingBytes: 1200,
    matrices: [10, 22],
  },
  {
    name: 'f32, matrices stored [in, out], learned positions',
    config: gpt2,
    targets: ['c_attn', 'mlp.c_proj'],
    packing: null,
    bindingBytes: 3100,
    matrices: [10, 26],
  },
];

interface Setting {
  config: ModelConfig;
  spec: LoraSpec;
  source: WeightSource;
  plan: StepPlan;
  split: StepPlan;
}

async function prepare({ config, targets, packing, bindingBytes }: Case): Promise<Setting> {
  const tensors = randomTensors(config, 21);
  const spec: LoraSpec = { rank: 3, alpha: 6, targetModules: targets, seed: 9 };
  const file = packing && (await packedFile(config, tensors, packing));
  const source = file ? await openWeights(config, file.read, file.bytes) : weightsInMemory(config, tensors);
  const plan = planStep(config, spec, { capacity: { tokens: 64, scored: 64 }, positions: 16, recomputes: true });
  const split = splitForBinding(plan, storedFormats(plan.stored, source), bindingBytes);
  return { config, spec, source, plan, split };
}

type Create = (plan: StepPlan, source: WeightSource, frozenA: FrozenA, vectors: AdamVectors) => Promise<StepEngine>;

/** Two steps, the first one in two batches. */
async function twoSteps(create: Create, plan: StepPlan, setting: Setting) {
  const { config, spec, source } = setting;
  const a = publishedA(config, spec);
  const frozenA = new Map(adaptedModules(config, spec).map(({ name }, i) => [name, a[i]!]));
  const values = randomB(config, spec, 22);
  const zeros = new Float32Array(values.length);
  const engine = await create(plan, source, frozenA, { values, firstMoment: zeros, secondMoment: zeros });
  const examples = randomExamples(config, [11, 5, 8, 9], 23);
  const batch = (from: number, to: number) => makeHostBatch(config, examples.slice(from, to), scoredCount(examples));
  const settings = { learningRate: 1e-3, weightDecay: 0.1, clipNorm: 1 };
  const first = await engine.step([batch(0, 2), batch(2, 4)], { ...settings, step: 1 });
  const second = await engine.step([batch(0, 4)], { ...settings, step: 2 });
  const vectors = await engine.vectors();
  engine.dispose();
  return { losses: [first.loss, second.loss], ...vectors };
}

function expectSame(found: Awaited<ReturnType<typeof twoSteps>>, expected: typeof found) {
  found.losses.forEach((loss, i) => expect(Math.abs(loss / expected.losses[i]! - 1)).toBeLessThan(1e-6));
  for (const name of ['values', 'firstMoment', 'secondMoment'] as const) {
    expect(relativeError(found[name], expected[name])).toBeLessThan(2e-6);
  }
}

function onWebgpu(gpu: GpuDevice): Create {
  return (plan, ...rest) => WebgpuEngine.create(gpu, plan, 4, ...rest);
}

function matricesOf({ stored }: StepPlan): StoredMatrix[] {
  return [...stored.values()].filter((array): array is StoredMatrix => array.kind === 'matrix');
}

function rowsOf(plan: StepPlan): number {
  return matricesOf(plan).reduce((sum, { rows }) => sum + rows, 0);
}

describe('a split plan', () => {
  it.each(cases)('$name: no array is larger than what can be read, and none is missing', async (test) => {
    const { plan, split, source } = await prepare(test);
    const formats = storedFormats(split.stored, source);
    const sizes = [...split.stored].map(([name, array]) => storedBytes(array, formats.get(name) ?? 'F32'));
    expect([matricesOf(plan).length, matricesOf(split).length]).toEqual(test.matrices);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(test.bindingBytes);
    expect(rowsOf(split)).toBe(rowsOf(plan));
  });

  it.each(cases)('$name: the twin’s losses and vectors to the bit', async (test) => {
    const setting = await prepare(test);
    const whole = await twoSteps(TwinEngine.create, setting.plan, setting);
    expect(await twoSteps(TwinEngine.create, setting.split, setting)).toEqual(whole);
  });

  it('is the plan itself where everything fits', async () => {
    const { plan } = await prepare(cases[0]!);
    expect(splitMatrices(plan, () => 150)).toEqual(plan);
  });
});

describe('engines', { timeout: 120_000 }, () => {
  let gpu: GpuDevice;

  beforeAll(async () => {
    await installNodeWebgpu();
    gpu = await openDevice(await requestAdapter());
  });

  it.each(cases)('WebAssembly, $name: as the whole', async (test) => {
    const kernels = await loadNodeKernels();
    const create: Create = (plan, ...rest) => WasmEngine.create(kernels, plan, 4, ...rest);
    const setting = await prepare(test);
    expectSame(await twoSteps(create, setting.split, setting), await twoSteps(create, setting.plan, setting));
  });

  // The engine is given the whole plan, and splits it because of what the device says of itself.
  it.each(cases)('WebGPU, $name: as the whole', async (test) => {
    const setting = await prepare(test);
    const { bindingBytes } = test;
    const found = await twoSteps(onWebgpu({ ...gpu, bindingBytes }), setting.plan, setting);
    expectSame(found, await twoSteps(onWebgpu(gpu), setting.plan, setting));
  });

  it('refuse what cannot be split, with a sentence', async () => {
    const setting = await prepare({ ...cases.at(-1)!, targets: ['attn.c_proj'] });
    const opened = twoSteps(onWebgpu({ ...gpu, bindingBytes: 1300 }), setting.plan, setting);
    await expect(opened).rejects.toMatchObject({ code: 'tensor_too_large', message: /wpe\.weight takes/ });
  });
});
