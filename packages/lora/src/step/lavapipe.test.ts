/**
 * Some of what the other tests show on SwiftShader, on lavapipe too, whose compiler is another: kernels as GPUs run them, and
 * a whole step as programs do. A kernel takes seconds to compile there, so they are few. Mesa's own package may be absent or too old for Dawn; the name of the tests then says so.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { adaptedModules } from '../adapter/index.ts';
import { readSafetensors } from '../checkpoint/index.ts';
import { openDevice, requestAdapter } from '../device/index.ts';
import type { KernelTraits } from '../kernels/index.ts';
import { whole } from '../plan/index.ts';
import {
  fixtureBytes,
  fixtureJson,
  installNodeAdapter,
  loadFixture,
  lossAndGradientOfEngine,
  relativeError,
} from '../testing/index.ts';
import { kernelError, kernelTraits } from '../testing/kernel-agreement.ts';
import { RandomMemory } from '../testing/random-memory.ts';
import { storeMatrix } from '../testing/random-matrix.ts';
import { weightsInMemory, webgpuEngine } from './index.ts';

const all = { of: 'positions' } as const;
const shape = { rows: 2, positions: 5, scored: 4 };

const absence = await installNodeAdapter('lavapipe').then(
  () => null,
  (error: Error) => error.message,
);

describe.skipIf(absence)(`lavapipe${absence ? ` is left out: ${absence}` : ''}`, { timeout: 300_000 }, () => {
  let device: GPUDevice;
  let traits: KernelTraits;

  beforeAll(async () => {
    ({ device } = await openDevice(await requestAdapter()));
    traits = kernelTraits(device, { isSoftware: false });
  });

  it('multiplies by int4 weights in tiles', async () => {
    const random = new RandomMemory(1, { rows: 1, positions: 70, scored: 0 });
    const packed = new Map<string, Uint8Array>();
    const layer = {
      weight: storeMatrix(random, packed, 'int4', 67, 131),
      stored: 'outIn',
      lora: null,
      rows: all,
    } as const;
    const [x, out] = [whole(random.filled(70, 131)), whole(random.empty(70, 67))];
    const int4: KernelTraits = { ...traits, formatOf: () => 'int4' };
    const op = { kind: 'linear', x, ...layer, bias: null, addend: null, out } as const;
    expect(await kernelError(device, op, random.memory, int4, packed)).toBeLessThan(1e-5);
  });

  it('attends in tiles', async () => {
    const random = new RandomMemory(2, { rows: 2, positions: 40, scored: 0 });
    const settings = { heads: 4, kvHeads: 2, headDim: 8, scale: 8 ** -0.5, softCap: null, window: 33 };
    const own = () => whole(random.filled(80, 32, 2));
    const theirs = () => whole(random.filled(80, 16, 2));
    const empty = (columns: number) => whole(random.empty(80, columns));
    const reads = { q: own(), k: theirs(), v: theirs(), out: empty(32), logSumExp: empty(4) };
    const forward = { kind: 'attention', ...settings, ...reads } as const;
    expect(await kernelError(device, forward, random.memory, traits)).toBeLessThan(1e-5);
  });

  it('norms', async () => {
    const random = new RandomMemory(3, shape);
    const settings = {
      norm: 'rms',
      size: 300,
      eps: 0.01,
      gain: random.vector('gain', 300),
      hasUnitOffset: false,
      bias: null,
      groups: 1,
    } as const;
    const views = { x: whole(random.filled(10, 300, 3)), addend: null, out: whole(random.empty(10, 300)) };
    const op = { kind: 'norm', ...settings, ...views, rows: all, picks: false } as const;
    expect(await kernelError(device, op, random.memory, traits)).toBeLessThan(1e-5);
  });

  it('takes the cross-entropy over 1031 tokens', async () => {
    const random = new RandomMemory(4, shape, 1031);
    const [logits, losses] = [whole(random.filled(4, 1031, 20)), whole(random.filled(4, 1))];
    const rows = { of: 'scored', from: 0, most: 4 } as const;
    const op = { kind: 'crossEntropy', logits, vocabulary: 1031, softCap: null, losses, rows } as const;
    expect(await kernelError(device, op, random.memory, traits)).toBeLessThan(1e-5);
  });

  it('updates 70000 parameters', async () => {
    const random = new RandomMemory(5, shape);
    random.train(70_000, 10);
    const before = random.memory.state.values.slice();
    expect(await kernelError(device, { kind: 'update' }, random.memory, traits)).toBeLessThan(1e-5);
    expect(random.memory.state.values).not.toEqual(before);
  });

  it('takes a whole step of gpt2: PyTorch’s loss to 1e-4, its LoRA gradient to 1e-3', async () => {
    const name = 'gpt2';
    const { config, tensors, adapter, ids } = loadFixture(name);
    const { spec, values, a } = adapter;
    const { labels, loss } = fixtureJson(`${name}/expected.json`) as { labels: number[][]; loss: number };
    const expected = readSafetensors(fixtureBytes(`${name}/expected.safetensors`));
    const gradient = adaptedModules(config, spec).flatMap((module) => [...expected.get(`grad.${module.name}`)!.values]);
    const examples = ids.map((row, i) => ({ ids: row, labels: Int32Array.from(labels[i]!), domain: '' }));
    const gpu = await openDevice(await requestAdapter());
    const engine = webgpuEngine(gpu, weightsInMemory(config, tensors));
    const found = await lossAndGradientOfEngine(engine, config, spec, values, examples, a);
    expect(gpu.isSoftware).toBe(true);
    expect(Math.abs(found.loss / loss - 1)).toBeLessThan(1e-4);
    expect(relativeError(found.gradient, gradient)).toBeLessThan(1e-3);
  });
});
