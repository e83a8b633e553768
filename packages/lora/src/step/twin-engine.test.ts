/** The plan itself: carried out by the twins it gives the reference's loss and gradient, for every architecture. */
import { describe, expect, it } from 'vitest';
import { adaptedModules, type LoraSpec, publishedA } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import { planStep } from '../plan/index.ts';
import { referenceLoss } from '../reference/index.ts';
import {
  configs,
  everyLinear,
  lossAndGradientOfEngine,
  randomB,
  randomExamples,
  randomTensors,
  relativeError,
  tinyConfig,
} from '../testing/index.ts';
import { makeHostBatch, scoredCount } from './host-batch.ts';
import { TwinEngine, twinEngine } from './twin-engine.ts';
import { wasmEngine } from './wasm-engine.ts';
import { loadNodeKernels } from '../wasm/node-kernels.ts';
import { weightsInMemory } from './weight-source.ts';

const everywhere: LoraSpec = { rank: 3, alpha: 6, targetModules: everyLinear, seed: 9 };
const cases: { name: string; config: ModelConfig; spec: LoraSpec }[] = [
  { name: 'llama', config: tinyConfig(), spec: everywhere },
  {
    name: 'odd sizes, biases, own head',
    config: tinyConfig({
      num_attention_heads: 3,
      num_key_value_heads: 1,
      head_dim: 10,
      hidden_size: 27,
      intermediate_size: 31,
      vocab_size: 53,
      attention_bias: true,
      mlp_bias: true,
      tie_word_embeddings: false,
    }),
    spec: everywhere,
  },
  {
    name: 'one adapted layer in the middle',
    config: tinyConfig({ num_hidden_layers: 3 }),
    spec: {
      ...everywhere,
      targetModules: ['model.layers.1.mlp.gate_proj', '2.self_attn.o_proj'],
      rankPattern: { gate_proj: 5 },
    },
  },
  ...Object.entries(configs).map(([name, { config, targets }]) => ({
    name,
    config,
    spec: { ...everywhere, targetModules: targets },
  })),
];

/** AdamW's first step moves every value by the learning rate against its gradient's sign, so the gradient is read from the first moment. */
async function firstGradient(config: ModelConfig, spec: LoraSpec, options: { recomputes: boolean; batches: number }) {
  const tensors = randomTensors(config, 21);
  const values = randomB(config, spec, 22);
  const examples = randomExamples(config, [11, 5, 8, 9], 23);
  const expected = referenceLoss({ config, tensors }, { spec, values }, examples);
  const plan = planStep(config, spec, {
    capacity: { tokens: 64, scored: 64 },
    positions: 16,
    recomputes: options.recomputes,
  });
  const a = publishedA(config, spec);
  const frozenA = new Map(adaptedModules(config, spec).map(({ name }, i) => [name, a[i]!]));
  const zeros = new Float32Array(values.length);
  const engine = await TwinEngine.create(plan, weightsInMemory(config, tensors), frozenA, {
    values,
    firstMoment: zeros,
    secondMoment: zeros,
  });
  const size = examples.length / options.batches;
  const batches = Array.from({ length: options.batches }, (_, i) =>
    makeHostBatch(config, examples.slice(i * size, (i + 1) * size), scoredCount(examples)),
  );
  const { loss, gradientNorm } = await engine.step(batches, {
    step: 1,
    learningRate: 1e-3,
    weightDecay: 0,
    clipNorm: Infinity,
  });
  const { firstMoment } = await engine.vectors();
  return { loss, gradientNorm, gradient: firstMoment.map((value) => 10 * value), expected };
}

describe('a planned step', () => {
  it.each(cases)('has the reference’s loss and gradient: $name', async ({ config, spec }) => {
    const { loss, gradient, expected } = await firstGradient(config, spec, { recomputes: false, batches: 1 });
    expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-6);
    expect(relativeError(gradient, expected.gradient)).toBeLessThan(1e-5);
  });

  it('has the slope of the reference’s loss for A as well, where it is trained', async () => {
    const spec: LoraSpec = { ...everywhere, targetModules: ['q_proj', 'v_proj', 'down_proj'], trains: 'a-and-b' };
    const config = tinyConfig();
    const tensors = randomTensors(config, 21);
    const b = randomB(config, spec, 22);
    const a = publishedA(config, spec);
    const values = Float32Array.from([...b, ...a.flatMap((matrix) => [...matrix])]);
    const examples = randomExamples(config, [11, 5, 8, 9], 23);
    const engine = twinEngine(weightsInMemory(config, tensors));
    const { gradient } = await lossAndGradientOfEngine(engine, config, spec, values, examples, a);
    const expected = referenceLoss({ config, tensors }, { spec, values: b, a }, examples);
    expect(relativeError(gradient.subarray(0, b.length), expected.gradient)).toBeLessThan(1e-5);
    const slope = (matrix: number, index: number) => {
      const step = 1e-3;
      const [up, down] = [step, -step].map((move) => {
        const moved = a.map((values, i) => (i === matrix ? values.with(index, values[index]! + move) : values));
        return { loss: referenceLoss({ config, tensors }, { spec, values: b, a: moved }, examples).loss, moved };
      });
      return (up!.loss - down!.loss) / (up!.moved[matrix]![index]! - down!.moved[matrix]![index]!);
    };
    let offset = b.length;
    const [found, slopes]: [number[], number[]] = [[], []];
    a.forEach((matrix, i) => {
      for (const index of [0, Math.floor(matrix.length / 2), matrix.length - 1]) {
        found.push(gradient[offset + index]!);
        slopes.push(slope(i, index));
      }
      offset += matrix.length;
    });
    expect(relativeError(found, slopes)).toBeLessThan(1e-3);
  });

  it('pads no row beyond the positions that a model has learned', async () => {
    const { config, targets } = configs.gpt2!;
    const examples = randomExamples(config, [20, 3], 23);
    const spec = { ...everywhere, targetModules: targets };
    const tensors = randomTensors(config, 21);
    const values = randomB(config, spec, 22);
    const expected = referenceLoss({ config, tensors }, { spec, values }, examples);
    const source = weightsInMemory(config, tensors);
    for (const engine of [twinEngine(source), wasmEngine(await loadNodeKernels(), source)]) {
      const { loss, gradient } = await lossAndGradientOfEngine(engine, config, spec, values, examples);
      expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-6);
      expect(relativeError(gradient, expected.gradient)).toBeLessThan(1e-5);
    }
  });

  it.each(cases)(
    'is the same when blocks are computed again and batches are split: $name',
    async ({ config, spec }) => {
      const { loss, gradient, expected } = await firstGradient(config, spec, { recomputes: true, batches: 2 });
      expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-6);
      expect(relativeError(gradient, expected.gradient)).toBeLessThan(1e-5);
    },
  );
});
