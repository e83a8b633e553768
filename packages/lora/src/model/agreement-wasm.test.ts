import { beforeAll, describe, expect, it } from 'vitest';
import { type LoraSpec, targetModuleNames } from '../adapter/index.ts';
import { referenceLoss } from '../reference/index.ts';
import {
  lossAndGradientOnBackend,
  randomB,
  randomExamples,
  randomTensors,
  relativeError,
  tinyConfig,
} from '../testing/index.ts';
import { memory, selectBackend } from '../tensor/index.ts';
import { CausalLm } from './index.ts';

const everywhere: LoraSpec = { rank: 3, alpha: 6, targetModules: targetModuleNames, seed: 9 };
const cases = [
  { name: 'grouped queries, tied head', config: tinyConfig(), spec: everywhere, lengths: [11, 5, 8] },
  {
    name: 'every head its own key, own output head',
    config: tinyConfig({ kvHeads: 4, tieWordEmbeddings: false }),
    spec: everywhere,
    lengths: [16, 3],
  },
  {
    name: 'one key head for all, odd sizes',
    config: tinyConfig({ heads: 3, kvHeads: 1, headDim: 10, hiddenSize: 27, intermediateSize: 31, vocabSize: 53 }),
    spec: everywhere,
    lengths: [13],
  },
  {
    name: 'adapters on queries and values only, three layers',
    config: tinyConfig({ layers: 3 }),
    spec: { ...everywhere, rank: 1, targetModules: ['v_proj', 'q_proj'] as const },
    lengths: [9, 9, 2, 17],
  },
  {
    name: 'adapters in the feed-forward half only',
    config: tinyConfig(),
    spec: { ...everywhere, targetModules: ['down_proj', 'gate_proj', 'up_proj'] as const },
    lengths: [6, 12],
  },
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
