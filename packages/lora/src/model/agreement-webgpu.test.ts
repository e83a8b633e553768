import { beforeAll, describe, expect, it } from 'vitest';
import type { LoraSpec } from '../adapter/index.ts';
import { referenceLoss } from '../reference/index.ts';
import {
  everyLinear,
  installNodeWebgpu,
  lossAndGradientOnBackend,
  randomB,
  randomExamples,
  randomTensors,
  relativeError,
  tinyConfig,
} from '../testing/index.ts';
import { assertDeviceHealthy, selectBackend } from '../tensor/index.ts';
import { CausalLm } from './index.ts';

const everywhere: LoraSpec = { rank: 4, alpha: 6, targetModules: everyLinear, seed: 9 };
const cases = [
  { name: 'grouped queries, tied head', config: tinyConfig(), spec: everywhere, lengths: [11, 5] },
  {
    name: 'odd sizes, own output head, adapters on queries and values',
    config: tinyConfig({
      num_hidden_layers: 1,
      num_attention_heads: 3,
      num_key_value_heads: 1,
      head_dim: 8,
      hidden_size: 27,
      vocab_size: 53,
      tie_word_embeddings: false,
    }),
    spec: { ...everywhere, rank: 3, targetModules: ['q_proj', 'v_proj'] },
    lengths: [13],
  },
];

// A software adapter takes some milliseconds a dispatch, hence two small cases and a long limit.
describe('the model on WebGPU', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    await installNodeWebgpu();
    await selectBackend('webgpu');
  });

  it.each(cases)('has the loss and LoRA gradient of the f64 reference: $name', async ({ config, spec, lengths }) => {
    const tensors = randomTensors(config, 21);
    const values = randomB(config, spec, 22);
    const examples = randomExamples(config, lengths, 23);
    const expected = referenceLoss({ config, tensors }, { spec, values }, examples);
    const model = CausalLm.load(config, tensors);
    const found = await lossAndGradientOnBackend(model, spec, values, examples);
    model.dispose();
    assertDeviceHealthy();
    expect(Math.abs(found.loss / expected.loss - 1)).toBeLessThan(1e-5);
    expect(relativeError(found.gradient, expected.gradient)).toBeLessThan(1e-4);
  });
});
