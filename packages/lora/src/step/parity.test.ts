/** The recorded step against transformers and peft (`fixtures/`, made by `fixtures/make_fixtures.py`), for every architecture and packing. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type GpuDevice, openDevice, requestAdapter } from '../device/index.ts';
import { type Packing, packings, readWeights } from '../packing/index.ts';
import { referenceLoss } from '../reference/index.ts';
import {
  fixtureNames,
  installNodeWebgpu,
  loadParity,
  lossAndGradientOfEngine,
  packedFile,
  relativeError,
} from '../testing/index.ts';
import { openWeights, weightsInMemory, webgpuEngine } from './index.ts';

function load(name: string) {
  const { gradients, ...fixture } = loadParity(name);
  return { ...fixture, gradient: gradients.flatMap((values) => [...values]) };
}

describe('the recorded step on WebGPU', { timeout: 120_000 }, () => {
  let gpu: GpuDevice;

  beforeAll(async () => {
    await installNodeWebgpu();
    gpu = await openDevice(await requestAdapter());
  });

  it.each(fixtureNames)('%s: PyTorch’s loss to 1e-4, its LoRA gradient to 1e-3', async (name) => {
    const { config, tensors, adapter, examples, loss, gradient } = load(name);
    const { spec, values, a } = adapter;
    const engine = webgpuEngine(gpu, weightsInMemory(config, tensors));
    const found = await lossAndGradientOfEngine(engine, config, spec, values, examples, a);
    expect(Math.abs(found.loss / loss - 1)).toBeLessThan(1e-4);
    expect(relativeError(found.gradient, gradient)).toBeLessThan(1e-3);
    expect(found.gradientNorm).toBeCloseTo(Math.hypot(...gradient), 3);
  });

  it('through the kernels that real GPUs run: PyTorch’s loss to 1e-4, its LoRA gradient to 1e-3', async () => {
    const { config, tensors, adapter, examples, loss, gradient } = load('gpt2');
    const { spec, values, a } = adapter;
    const engine = webgpuEngine({ ...gpu, isSoftware: false }, weightsInMemory(config, tensors));
    const found = await lossAndGradientOfEngine(engine, config, spec, values, examples, a);
    expect(Math.abs(found.loss / loss - 1)).toBeLessThan(1e-4);
    expect(relativeError(found.gradient, gradient)).toBeLessThan(1e-3);
  });

  // Every packing on rows and on columns; the other architectures share those kernels and take turns.
  const packed = fixtureNames.flatMap((name, i) =>
    packings
      .filter((_, turn) => name === 'llama-gqa-tied' || name === 'gpt2' || turn === i % packings.length)
      .map((packing): [string, Packing] => [name, packing]),
  );

  it.each(packed)('%s in %s: the loss and gradient of its packed weights', async (name, packing) => {
    const { config, tensors, adapter, examples } = load(name);
    const { spec, values, a } = adapter;
    const { read, bytes } = await packedFile(config, tensors, packing);
    const engine = webgpuEngine(gpu, await openWeights(config, read, bytes));
    const found = await lossAndGradientOfEngine(engine, config, spec, values, examples, a);
    const unpacked = await readWeights(read, bytes);
    const expected = referenceLoss({ config, tensors: unpacked }, { spec, values, a }, examples);
    expect(Math.abs(found.loss / expected.loss - 1)).toBeLessThan(1e-5);
    expect(relativeError(found.gradient, expected.gradient)).toBeLessThan(1e-4);
  });
});
