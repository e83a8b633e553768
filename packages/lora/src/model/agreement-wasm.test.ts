import { beforeAll, describe, expect, it } from 'vitest';
import type { LoraSpec } from '../adapter/index.ts';
import { referenceLoss } from '../reference/index.ts';
import {
  configs,
  everyLinear,
  lossAndGradientOnBackend,
  randomB,
  randomExamples,
  randomTensors,
  relativeError,
  tinyConfig,
} from '../testing/index.ts';
import { memory, selectBackend } from '../tensor/index.ts';
import { CausalLm } from './index.ts';

const everywhere: LoraSpec = { rank: 3, alpha: 6, targetModules: everyLinear, seed: 9 };
const cases = [
  { name: 'grouped queries, tied head', config: tinyConfig(), spec: everywhere, lengths: [11, 5, 8] },
  {
    name: 'every head its own key, own output head',
    config: tinyConfig({ num_key_value_heads: 4, tie_word_embeddings: false }),
    spec: everywhere,
    lengths: [16, 3],
  },
  {
    name: 'one key head for all, odd sizes, biases',
    config: tinyConfig({
      num_attention_heads: 3,
      num_key_value_heads: 1,
      head_dim: 10,
      hidden_size: 27,
      intermediate_size: 31,
      vocab_size: 53,
      attention_bias: true,
      mlp_bias: true,
    }),
    spec: everywhere,
    lengths: [13],
  },
  {
    name: 'adapters on queries and values only, three layers',
    config: tinyConfig({ num_hidden_layers: 3 }),
    spec: { ...everywhere, rank: 1, targetModules: ['v_proj', 'q_proj'] },
    lengths: [9, 9, 2, 17],
  },
  {
    name: 'adapters in the feed-forward half only',
    config: tinyConfig(),
    spec: { ...everywhere, targetModules: ['down_proj', 'gate_proj', 'up_proj'] },
    lengths: [6, 12],
  },
  {
    name: 'one adapted layer in the middle, of a rank and scale of its own',
    config: tinyConfig({ num_hidden_layers: 3 }),
    spec: {
      ...everywhere,
      targetModules: ['model.layers.1.mlp.gate_proj', '2.self_attn.o_proj'],
      rankPattern: { gate_proj: 2 },
      useRslora: true,
    },
    lengths: [6, 12],
  },
  ...Object.entries(configs).map(([name, { config, targets }]) => ({
    name,
    config,
    spec: { ...everywhere, targetModules: targets },
    lengths: [11, 4],
  })),
];

describe('the model on WASM', () => {
  beforeAll(async () => {
    await selectBackend('wasm');
  });

  it.each(cases)('has the loss and LoRA gradient of the f64 reference: $name', async ({ config, spec, lengths }) => {
    const tensors = randomTensors(config, 21);
    const values = randomB(config, spec, 22);
    const examples = randomExamples(config, lengths, 23);
    const expected = referenceLoss({ config, tensors }, { spec, values }, examples);
    const before = memory().numTensors;
    const model = CausalLm.load(config, tensors);
    const found = await lossAndGradientOnBackend(model, spec, values, examples);
    model.dispose();
    expect(Math.abs(found.loss / expected.loss - 1)).toBeLessThan(1e-6);
    expect(relativeError(found.gradient, expected.gradient)).toBeLessThan(1e-5);
    expect(memory().numTensors).toBe(before);
  });
});
