/** What is TFJS's own: tensors are counted. The contract of all engines is in `training/lora-trainer.test.ts`. */
import { beforeAll, describe, expect, it } from 'vitest';
import { loraLayout, type LoraSpec } from '../adapter/index.ts';
import { memory } from '../tensor/index.ts';
import { randomExamples, randomTensors, tinyConfig } from '../testing/index.ts';
import { LoraTrainer } from '../training/index.ts';
import { CausalLm, selectBackend, tfjsEngine } from './index.ts';

const config = tinyConfig();
const spec: LoraSpec = { rank: 6, alpha: 12, targetModules: ['q_proj', 'up_proj'], seed: 2 };
const settings = {
  epochs: 70,
  batchSize: 3,
  maxTokens: 20,
  learningRate: 0.02,
  warmupRatio: 0.1,
  weightDecay: 0.01,
  clipNorm: 1,
  seed: 5,
};

describe('the TFJS engine', () => {
  beforeAll(async () => {
    await selectBackend('wasm');
  });

  it("holds the same number of tensors over 200 steps, and none but the model's when disposed", async () => {
    const model = CausalLm.load(config, randomTensors(config, 31));
    const before = memory().numTensors;
    const examples = randomExamples(config, [9, 4, 14, 7, 11, 5, 16], 41);
    const layout = await loraLayout(config, spec);
    const training = await LoraTrainer.open({ config, spec, layout, examples, settings }, tfjsEngine(model));
    for (let step = 0; step < 6; step++) await training.nextStep();
    const settled = memory().numTensors;
    for (let step = 0; step < 200; step++) await training.nextStep();
    expect(memory().numTensors).toBe(settled);
    training.dispose();
    expect(memory().numTensors).toBe(before);
    model.dispose();
  });
});
