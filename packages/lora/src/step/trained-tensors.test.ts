/** Steps that train the model's own tensors: the twins against finite differences of the reference, engines against the twins. */
import { beforeAll, describe, expect, it } from 'vitest';
import { adaptedModules, type LoraSpec, publishedA } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import type { TensorEntry } from '../checkpoint/index.ts';
import { type GpuDevice, openDevice, requestAdapter } from '../device/index.ts';
import { planStep, type StepPlan, type TrainedKind, trainedTensors } from '../plan/index.ts';
import { referenceLoss } from '../reference/index.ts';
import {
  configs,
  everyLinear,
  installNodeWebgpu,
  randomB,
  randomExamples,
  randomTensors,
  relativeError,
  tinyConfig,
} from '../testing/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';
import { loadNodeKernels } from '../wasm/node-kernels.ts';
import { makeHostBatch, scoredCount } from './host-batch.ts';
import type { StepEngine } from './step-engine.ts';
import { TwinEngine } from './twin-engine.ts';
import { WasmEngine } from './wasm-engine.ts';
import { WebgpuEngine } from './webgpu-engine.ts';
import { type FrozenA, weightsInMemory } from './weight-source.ts';

interface Case {
  config: ModelConfig;
  alsoTrains: readonly TrainedKind[];
  targets?: readonly string[];
}

type Tensors = Map<string, TensorEntry>;

/** A plan with all that an engine is opened with. */
interface Setting {
  plan: StepPlan;
  config: ModelConfig;
  tensors: Tensors;
  trained: readonly string[];
  adapter: { spec: LoraSpec; values: Float32Array } | null;
  frozenA: FrozenA;
  /** In layout order. */
  values: Float32Array;
  examples: readonly EncodedExample[];
}

const everything: readonly TrainedKind[] = ['matrices', 'biases', 'norms'];
const odd = { hidden_size: 27, num_attention_heads: 3, num_key_value_heads: 1, head_dim: 10, intermediate_size: 31 };
const withHead = tinyConfig({ ...odd, vocab_size: 53, tie_word_embeddings: false, attention_bias: true });
const cases: Record<string, Case> = {
  'biases of qwen2': { config: configs.qwen2!.config, alsoTrains: ['biases'] },
  'biases of gpt2': { config: configs.gpt2!.config, alsoTrains: ['biases'] },
  'norms of llama': { config: tinyConfig(), alsoTrains: ['norms'] },
  'norms of gemma2': { config: configs.gemma2!.config, alsoTrains: ['norms'] },
  'norms of gemma3, heads’ too': { config: configs.gemma3_text!.config, alsoTrains: ['norms'] },
  'norms of gpt2': { config: configs.gpt2!.config, alsoTrains: ['norms'] },
  'matrices of gpt2': { config: configs.gpt2!.config, alsoTrains: ['matrices'] },
  'all of llama, tied': { config: tinyConfig(), alsoTrains: everything },
  'all of llama, own head, odd sizes': { config: withHead, alsoTrains: everything },
  'all of gpt2': { config: configs.gpt2!.config, alsoTrains: everything },
  'all of gemma2': { config: configs.gemma2!.config, alsoTrains: everything },
  'all of qwen2': { config: configs.qwen2!.config, alsoTrains: everything },
  'biases of qwen2 beside an adapter': {
    config: configs.qwen2!.config,
    alsoTrains: ['biases'],
    targets: ['1.mlp.up_proj'],
  },
  'all of llama beside an adapter': { config: tinyConfig(), alsoTrains: everything, targets: everyLinear },
};

function prepare({ config, alsoTrains, targets }: Case, recomputes = false): Setting {
  const tensors = randomTensors(config, 21);
  const spec = targets ? { rank: 3, alpha: 6, targetModules: targets, seed: 9 } : null;
  const adapter = spec && { spec, values: randomB(config, spec, 22) };
  const a = spec ? publishedA(config, spec) : [];
  const modules = spec ? adaptedModules(config, spec) : [];
  const trained = [...trainedTensors(config, alsoTrains).keys()];
  const own = trained.flatMap((name) => [...tensors.get(name)!.values]);
  const capacity = { tokens: 64, scored: 64 };
  return {
    plan: planStep(config, spec, { capacity, positions: 16, recomputes, alsoTrains }),
    config,
    tensors,
    trained,
    adapter,
    frozenA: new Map(modules.map(({ name }, i) => [name, a[i]!])),
    values: Float32Array.from([...(adapter?.values ?? []), ...own]),
    examples: randomExamples(config, [11, 5, 8, 9], 23),
  };
}

/** AdamW's first moment is a tenth of the gradient after one step. */
async function firstGradient(engine: StepEngine, { config, examples }: Setting, batches = 1) {
  const size = examples.length / batches;
  const split = Array.from({ length: batches }, (_, i) =>
    makeHostBatch(config, examples.slice(i * size, (i + 1) * size), scoredCount(examples)),
  );
  const { loss } = await engine.step(split, { step: 1, learningRate: 1e-3, weightDecay: 0, clipNorm: 1e30 });
  const { firstMoment } = await engine.vectors();
  engine.dispose();
  return { loss, gradient: firstMoment.map((value) => 10 * value) };
}

function vectorsOf({ values }: Setting) {
  const zeros = () => new Float32Array(values.length);
  return { values: values.slice(), firstMoment: zeros(), secondMoment: zeros() };
}

function twin(setting: Setting): Promise<StepEngine> {
  const source = weightsInMemory(setting.config, setting.tensors);
  return TwinEngine.create(setting.plan, source, setting.frozenA, vectorsOf(setting));
}

async function wasm(setting: Setting): Promise<StepEngine> {
  const source = weightsInMemory(setting.config, setting.tensors);
  const kernels = await loadNodeKernels();
  return WasmEngine.create(kernels, setting.plan, 4, source, setting.frozenA, vectorsOf(setting));
}

/**
 * How the loss changes along a random direction of one tensor, and what the gradient says of it, in units of the gradient's
 * norm. What f32 rounds off the two ends is reckoned with.
 */
function slopeError({ config, tensors, adapter, examples }: Setting, name: string, gradient: Float32Array): number {
  const { values } = tensors.get(name)!;
  const reach = 1e-3 / Math.sqrt(values.length);
  const signs = values.map((_, i) => (Math.sin(1 + 7 * i * i) > 0 ? reach : -reach));
  const [ahead, behind] = [values.map((value, i) => value + signs[i]!), values.map((value, i) => value - signs[i]!)];
  const lossAt = (moved: Float32Array) => {
    const changed = new Map([...tensors, [name, { ...tensors.get(name)!, values: moved }]]);
    return referenceLoss({ config, tensors: changed }, adapter, examples).loss;
  };
  const expected = lossAt(ahead) - lossAt(behind);
  const found = gradient.reduce((sum, g, i) => sum + g * (ahead[i]! - behind[i]!), 0);
  return Math.abs(found - expected) / (2e-3 * Math.hypot(...gradient));
}

describe('a step that trains tensors of the model', () => {
  describe.each([
    { recomputes: false, batches: 1 },
    { recomputes: true, batches: 2 },
  ])('recomputes $recomputes, $batches batches', ({ recomputes, batches }) => {
    it.each(Object.entries(cases))('%s: the slopes of the reference’s loss', async (_, test) => {
      const setting = prepare(test, recomputes);
      const { config, tensors, trained, adapter, examples } = setting;
      const { loss, gradient } = await firstGradient(await twin(setting), setting, batches);
      const expected = referenceLoss({ config, tensors }, adapter, examples);
      expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-6);
      let at = expected.gradient.length;
      if (adapter) expect(relativeError(gradient.slice(0, at), expected.gradient)).toBeLessThan(1e-5);
      const wrong = trained.filter((name) => {
        const own = gradient.subarray(at, (at += tensors.get(name)!.values.length));
        return !(Math.hypot(...own) > 1e-5 && slopeError(setting, name, own) < 1e-5);
      });
      expect(wrong).toEqual([]);
      expect(at).toBe(gradient.length);
    });
  });
});

const engineCases = [
  'biases of qwen2',
  'norms of gemma2',
  'all of gpt2',
  'all of llama, own head, odd sizes',
  'all of llama beside an adapter',
];

describe('engines', { timeout: 120_000 }, () => {
  let gpu: GpuDevice;

  beforeAll(async () => {
    await installNodeWebgpu();
    gpu = await openDevice(await requestAdapter());
  });

  async function webgpu(setting: Setting): Promise<StepEngine> {
    const source = weightsInMemory(setting.config, setting.tensors);
    return WebgpuEngine.create(gpu, setting.plan, 4, source, setting.frozenA, vectorsOf(setting));
  }

  describe.each([
    ['WebGPU', webgpu],
    ['WebAssembly', wasm],
  ] as const)('%s', (_, open) => {
    it.each(engineCases)('%s: the twin’s loss and gradient, in two batches', async (name) => {
      const setting = prepare(cases[name]!);
      const expected = await firstGradient(await twin(setting), setting);
      const found = await firstGradient(await open(setting), setting, 2);
      expect(Math.abs(found.loss / expected.loss - 1)).toBeLessThan(1e-5);
      expect(relativeError(found.gradient, expected.gradient)).toBeLessThan(1e-4);
    });
  });

  it('refuse what a GPU cannot bind, with a sentence', async () => {
    const config = tinyConfig({ vocab_size: 1_000_000, hidden_size: 2048 });
    const options = { capacity: { tokens: 8, scored: 8 }, positions: 8, recomputes: false, alsoTrains: everything };
    const nothing = new Float32Array();
    const vectors = { values: nothing, firstMoment: nothing, secondMoment: nothing };
    const source = { tensors: new Map(), read: () => Promise.reject(new Error('nothing is read')) };
    const opened = WebgpuEngine.create(gpu, planStep(config, null, options), 1, source, new Map(), vectors);
    await expect(opened).rejects.toMatchObject({ code: 'tensor_too_large', message: /^All that is trained takes/ });
  });

  it('learn a few rows by heart when everything is trained', async () => {
    const setting = prepare(cases['all of llama, tied']!);
    const engine = await wasm(setting);
    const batch = makeHostBatch(setting.config, setting.examples);
    const losses: number[] = [];
    for (let step = 1; step <= 40; step++) {
      const { loss } = await engine.step([batch], { step, learningRate: 0.01, weightDecay: 0, clipNorm: 1 });
      losses.push(loss);
    }
    expect(losses[0]).toBeGreaterThan(3);
    expect(losses.at(-1)).toBeLessThan(0.1);
  });
});
