/** A long run: the engines stay with the f64 twin for 300 steps, in the memory of the first. */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { loraLayout, type LoraSpec } from '../adapter/index.ts';
import { openDevice, requestAdapter } from '../device/index.ts';
import {
  type OpenEngine,
  type StepEngine,
  twinEngine,
  WasmEngine,
  wasmEngine,
  WebgpuEngine,
  webgpuEngine,
  weightsInMemory,
} from '../step/index.ts';
import { installNodeWebgpu, randomExamples, randomTensors, tinyConfig } from '../testing/index.ts';
import { loadNodeKernels } from '../wasm/node-kernels.ts';
import { LoraTrainer } from './index.ts';

const config = tinyConfig({ num_hidden_layers: 2 });
const weights = weightsInMemory(config, randomTensors(config, 31));
const spec: LoraSpec = { rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'], seed: 2 };
const examples = randomExamples(config, [9, 4, 14, 7, 11, 5], 41);
const settings = {
  epochs: 100,
  batchSize: 2,
  maxTokens: 16,
  learningRate: 0.005,
  warmupRatio: 0.1,
  weightDecay: 0.01,
  clipNorm: 1,
  seed: 5,
};

/** Losses of all steps, and the engine's bytes after the first step and after the last. */
async function run(openEngine: OpenEngine, afterWarmUp: () => void = () => undefined) {
  let engine: StepEngine | undefined;
  const trainer = await LoraTrainer.open(
    { config, spec, layout: await loraLayout(config, spec), examples, settings },
    async (parts) => {
      engine = await openEngine(parts);
      return engine;
    },
  );
  const losses: number[] = [];
  const bytes: number[] = [];
  while (trainer.step < trainer.totalSteps) {
    losses.push((await trainer.nextStep({ goesOn: true })).loss);
    bytes.push(engine instanceof WasmEngine || engine instanceof WebgpuEngine ? engine.bytes : 0);
    if (trainer.step === 6) afterWarmUp();
  }
  trainer.dispose();
  return { losses, bytes };
}

describe('300 steps', { timeout: 180_000 }, () => {
  let expected: number[];

  beforeAll(async () => {
    ({ losses: expected } = await run(twinEngine(weights)));
  }, 120_000);

  it('teach something', () => {
    expect(expected).toHaveLength(300);
    expect(expected.at(-1)).toBeLessThan(0.6 * expected[0]!);
  });

  const worst = (losses: number[]) => Math.max(...losses.map((loss, step) => Math.abs(loss - expected[step]!)));

  it('on WASM: the loss of the f64 twin to 1e-3, in constant memory', async () => {
    const { losses, bytes } = await run(wasmEngine(await loadNodeKernels(), weights));
    expect(worst(losses)).toBeLessThan(1e-3);
    expect(new Set(bytes).size).toBe(1);
  });

  it('on WebGPU: the loss of the f64 twin to 1e-3, in constant memory, without a new buffer or bind group', async () => {
    await installNodeWebgpu();
    const gpu = await openDevice(await requestAdapter());
    const made = [vi.spyOn(gpu.device, 'createBuffer'), vi.spyOn(gpu.device, 'createBindGroup')];
    const { losses, bytes } = await run(webgpuEngine(gpu, weights), () => made.forEach((spy) => spy.mockClear()));
    for (const spy of made) expect(spy).not.toHaveBeenCalled();
    expect(worst(losses)).toBeLessThan(1e-3);
    expect(new Set(bytes).size).toBe(1);
  });
});
