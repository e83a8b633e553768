/** Every architecture against Hugging Face transformers and peft: `fixtures/`, made by `fixtures/make_fixtures.py`. */
import { beforeAll, describe, expect, it } from 'vitest';
import { parseModelConfig } from '../architecture/index.ts';
import { referenceLogits, referenceLoss } from '../reference/index.ts';
import {
  fixtureJson,
  fixtureNames,
  installNodeWebgpu,
  largestError,
  loadFixture,
  loadParity,
  logitsOnBackend,
  lossAndGradientOnBackend,
  relativeError,
} from '../testing/index.ts';
import { assertDeviceHealthy, type BackendName, selectBackend } from '../tensor/index.ts';
import { CausalLm } from './index.ts';

function load(name: string) {
  const { tensor, ...fixture } = loadParity(name);
  return {
    ...fixture,
    patterned: tensor('adapted_logits_patterns') ? loadFixture(name, 'adapter-patterns').adapter : null,
    expected: (key: string) => tensor(key)!,
  };
}

/** The flat gradient module by module. */
function split(gradient: ArrayLike<number>, lengths: readonly number[]): number[][] {
  let offset = 0;
  return lengths.map((length) => {
    offset += length;
    return Array.from({ length }, (_, i) => gradient[offset - length + i]!);
  });
}

describe('parity with transformers and peft', () => {
  it('covers every architecture', () => {
    const types = new Set(fixtureNames.map((name) => parseModelConfig(fixtureJson(`${name}/config.json`)).modelType));
    expect([...types].toSorted()).toEqual(
      ['gemma', 'gemma2', 'gemma3_text', 'gpt2', 'llama', 'mistral', 'qwen2', 'qwen3'].toSorted(),
    );
  });

  it.each(fixtureNames)('%s: older published config.json files mean the same', (name) => {
    expect(parseModelConfig(fixtureJson(`${name}/published/config.json`))).toEqual(
      parseModelConfig(fixtureJson(`${name}/config.json`)),
    );
  });

  it.each(fixtureNames)('%s: the f64 reference', (name) => {
    const { config, tensors, adapter, patterned, examples, expected, loss, gradients } = load(name);
    const logits = (with_: typeof adapter | null) =>
      examples.flatMap(({ ids }) => [...referenceLogits({ config, tensors }, with_, ids)]);
    expect(largestError(logits(null), expected('logits'))).toBeLessThan(1e-5);
    expect(largestError(logits(adapter), expected('adapted_logits'))).toBeLessThan(1e-5);
    if (patterned) expect(largestError(logits(patterned), expected('adapted_logits_patterns'))).toBeLessThan(1e-5);
    const found = referenceLoss({ config, tensors }, adapter, examples);
    expect(Math.abs(found.loss / loss - 1)).toBeLessThan(1e-5);
    split(
      found.gradient,
      gradients.map(({ length }) => length),
    ).forEach((values, module) => {
      expect(relativeError(values, gradients[module]!)).toBeLessThan(1e-4);
    });
  });
});

describe.each<BackendName>(['wasm', 'webgpu'])('parity on %s', (backend) => {
  beforeAll(async () => {
    if (backend === 'webgpu') await installNodeWebgpu();
    await selectBackend(backend);
  });

  it.each(fixtureNames)('%s: logits to 1e-4, LoRA gradients to 1e-3', { timeout: 120_000 }, async (name) => {
    const { config, tensors, adapter, patterned, examples, expected, loss, gradients } = load(name);
    const model = CausalLm.load(config, tensors);
    expect(largestError(await logitsOnBackend(model, null, examples), expected('logits'))).toBeLessThan(1e-4);
    expect(largestError(await logitsOnBackend(model, adapter, examples), expected('adapted_logits'))).toBeLessThan(
      1e-4,
    );
    if (patterned) {
      const logits = await logitsOnBackend(model, patterned, examples);
      expect(largestError(logits, expected('adapted_logits_patterns'))).toBeLessThan(1e-4);
    }
    const found = await lossAndGradientOnBackend(model, adapter.spec, adapter.values, examples, adapter.a);
    model.dispose();
    assertDeviceHealthy();
    expect(Math.abs(found.loss / loss - 1)).toBeLessThan(1e-4);
    split(
      found.gradient,
      gradients.map(({ length }) => length),
    ).forEach((values, module) => {
      expect(relativeError(values, gradients[module]!)).toBeLessThan(1e-3);
    });
  });
});
