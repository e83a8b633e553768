import { beforeAll, describe, expect, it } from 'vitest';
import { loraLayout, type LoraSpec } from '../adapter/index.ts';
import { openDevice, requestAdapter } from '../device/index.ts';
import { type StepEngine, weightsInMemory, webgpuEngine } from '../step/index.ts';
import { installNodeWebgpu, randomExamples, randomTensors, tinyConfig } from '../testing/index.ts';
import { LoraTrainer } from './index.ts';

const config = tinyConfig({ num_hidden_layers: 1 });
const weights = weightsInMemory(config, randomTensors(config, 31));
const spec: LoraSpec = { rank: 4, alpha: 8, targetModules: ['q_proj', 'down_proj'], seed: 2 };
const examples = randomExamples(config, [9, 4, 7], 41);
const settings = {
  epochs: 3,
  batchSize: 2,
  maxTokens: 16,
  learningRate: 0.01,
  warmupRatio: 0.1,
  weightDecay: 0.01,
  clipNorm: 1,
  seed: 5,
};

async function open(resume?: Parameters<typeof LoraTrainer.open>[0]['resume']) {
  const gpu = await openDevice(await requestAdapter());
  const layout = await loraLayout(config, spec);
  const training = await LoraTrainer.open(
    { config, spec, layout, examples, settings, resume },
    webgpuEngine(gpu, weights),
  );
  return { training, device: gpu.device };
}

const lossesToEnd = async (training: LoraTrainer) => {
  const losses = [];
  while (training.step < training.totalSteps) losses.push((await training.nextStep()).loss);
  return losses;
};

describe('a GPU that fails', { timeout: 120_000 }, () => {
  beforeAll(installNodeWebgpu);

  it('stops training when it reports an error, instead of going on with stale numbers', async () => {
    const { training, device } = await open();
    await training.nextStep();
    const reported = new Promise((resolve) => device.addEventListener('uncapturederror', resolve));
    device.createBuffer({ size: 4, usage: 0x8000_0000 });
    await reported;
    await expect(training.nextStep()).rejects.toMatchObject({ name: 'BackendError', code: 'device_failed' });
    expect(training.step).toBe(1);
    training.dispose();
  });

  it('is replaced: from the checkpoint before, the run ends as one that never stopped', async () => {
    const whole = await open();
    const expected = await lossesToEnd(whole.training);
    const delta = await whole.training.delta();
    const { training, device } = await open();
    const losses = [(await training.nextStep()).loss, (await training.nextStep()).loss];
    const stored = await training.checkpoint();
    device.destroy();
    await device.lost;
    await expect(training.nextStep()).rejects.toMatchObject({ code: 'device_failed' });
    training.dispose();
    const second = await open(stored);
    expect(second.device).not.toBe(device);
    expect([...losses, ...(await lossesToEnd(second.training))]).toEqual(expected);
    expect(await second.training.delta()).toEqual(delta);
    second.training.dispose();
  });

  it('refuses before it allocates when the budget is too small, and splits a step that fits in parts', async () => {
    const gpu = await openDevice(await requestAdapter());
    const layout = await loraLayout(config, spec);
    const options = { config, spec, layout, examples, settings };
    await expect(LoraTrainer.open(options, webgpuEngine(gpu, weights, { budget: 10_000 }))).rejects.toMatchObject({
      code: 'out_of_memory',
      message: expect.stringMatching(/needs 0\.0\d+ MB here and this device allows 0\.0100 MB/),
    });
    const whole = await LoraTrainer.open(options, webgpuEngine(gpu, weights));
    let engine: StepEngine | undefined;
    const split = await LoraTrainer.open(options, async (parts) => {
      engine = await webgpuEngine(gpu, weights, { budget: 70_000 })(parts);
      return engine;
    });
    expect(engine?.batchRows).toBe(1);
    const [expected, found] = [await lossesToEnd(whole), await lossesToEnd(split)];
    found.forEach((loss, step) => expect(Math.abs(loss / expected[step]! - 1)).toBeLessThan(1e-5));
    whole.dispose();
    split.dispose();
  });
});
