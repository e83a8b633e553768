import { backend } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { loraLayout, type LoraSpec } from '../adapter/index.ts';
import { installNodeWebgpu, randomExamples, randomTensors, relativeError, tinyConfig } from '../testing/index.ts';
import { type BackendName, CausalLm, LoraTrainer, selectBackend } from './index.ts';

const config = tinyConfig({ num_hidden_layers: 1 });
const tensors = randomTensors(config, 31);
const spec: LoraSpec = { rank: 4, alpha: 8, targetModules: ['q_proj', 'down_proj'], seed: 2 };
const examples = randomExamples(config, [9, 4, 7], 41);
const settings = {
  epochs: 2,
  batchSize: 2,
  maxTokens: 16,
  learningRate: 0.01,
  warmupRatio: 0.1,
  weightDecay: 0.01,
  clipNorm: 1,
  seed: 5,
};

async function startOn(name: BackendName) {
  await selectBackend(name);
  const model = CausalLm.load(config, tensors);
  const training = new LoraTrainer({ model, spec, layout: await loraLayout(config, spec), examples, settings });
  const finish = () => {
    training.dispose();
    model.dispose();
  };
  return { training, finish };
}

async function trainOn(name: BackendName) {
  const { training, finish } = await startOn(name);
  const losses: number[] = [];
  while (training.step < training.totalSteps) losses.push((await training.nextStep()).loss);
  const delta = await training.delta();
  finish();
  return { losses, delta };
}

// A software adapter takes some milliseconds a dispatch, hence one small run.
describe('LoraTrainer on WebGPU', { timeout: 120_000 }, () => {
  beforeAll(installNodeWebgpu);

  it('takes the steps that WASM takes, and the same bits every time', async () => {
    const wasm = await trainOn('wasm');
    const webgpu = await trainOn('webgpu');
    expect(relativeError(webgpu.losses, wasm.losses)).toBeLessThan(1e-5);
    expect(relativeError(webgpu.delta, wasm.delta)).toBeLessThan(1e-3);
    expect(await trainOn('webgpu')).toEqual(webgpu);
  });

  it('stops when the device reports an error, instead of going on with stale numbers', async () => {
    const { training, finish } = await startOn('webgpu');
    await training.nextStep();
    const { device } = backend() as WebGPUBackend;
    const reported = new Promise((resolve) => device.addEventListener('uncapturederror', resolve));
    device.createBuffer({ size: 4, usage: 0x8000_0000 });
    await reported;
    await expect(training.nextStep()).rejects.toMatchObject({ name: 'BackendError', code: 'device_failed' });
    expect(training.step).toBe(1);
    finish();
  });
});
