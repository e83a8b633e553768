/** Every architecture against Hugging Face transformers and peft: `fixtures/`, made by `fixtures/make_fixtures.py`. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { adaptedModules, importPeft } from '../adapter/index.ts';
import { parseModelConfig } from '../architecture/index.ts';
import { readSafetensors } from '../checkpoint/index.ts';
import { referenceLogits, referenceLoss } from '../reference/index.ts';
import { installNodeWebgpu, logitsOnBackend, lossAndGradientOnBackend, relativeError } from '../testing/index.ts';
import { assertDeviceHealthy, type BackendName, selectBackend } from '../tensor/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';
import { CausalLm } from './index.ts';

const folder = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const bytes = (file: string) => readFileSync(folder + file);
const json = (file: string): unknown => JSON.parse(bytes(file).toString('utf8'));
const cases = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

function load(name: string) {
  const config = parseModelConfig(json(`${name}/config.json`));
  const expected = readSafetensors(bytes(`${name}/expected.safetensors`));
  const { ids, labels, loss } = json(`${name}/expected.json`) as { ids: number[][]; labels: number[][]; loss: number };
  const adapterOf = (adapter: string) => {
    const files = `${name}/${adapter}/adapter_`;
    return importPeft(config, json(`${files}config.json`), bytes(`${files}model.safetensors`));
  };
  const adapter = adapterOf('adapter');
  return {
    config,
    tensors: readSafetensors(bytes(`${name}/model.safetensors`)),
    adapter,
    patterned: expected.has('adapted_logits_patterns') ? adapterOf('adapter-patterns') : null,
    examples: ids.map((row, i): EncodedExample => ({
      ids: Int32Array.from(row),
      labels: Int32Array.from(labels[i]!),
      domain: '',
    })),
    expected: (tensor: string) => expected.get(tensor)!.values,
    loss,
    gradient: adaptedModules(config, adapter.spec).map(({ name: module }) => expected.get(`grad.${module}`)!.values),
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

/** Largest difference in units of the largest expected value. */
function largestError(found: ArrayLike<number>, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return expected.reduce((worst, value, i) => Math.max(worst, Math.abs(found[i]! - value)), 0) / scale;
}

describe('parity with transformers and peft', () => {
  it('covers every architecture', () => {
    const types = new Set(cases.map((name) => parseModelConfig(json(`${name}/config.json`)).modelType));
    expect([...types].toSorted()).toEqual(
      ['gemma', 'gemma2', 'gemma3_text', 'gpt2', 'llama', 'mistral', 'qwen2', 'qwen3'].toSorted(),
    );
  });

  it.each(cases)('%s: older published config.json files mean the same', (name) => {
    expect(parseModelConfig(json(`${name}/published/config.json`))).toEqual(
      parseModelConfig(json(`${name}/config.json`)),
    );
  });

  it.each(cases)('%s: the f64 reference', (name) => {
    const { config, tensors, adapter, patterned, examples, expected, loss, gradient } = load(name);
    const logits = (with_: typeof adapter | null) =>
      examples.flatMap(({ ids }) => [...referenceLogits({ config, tensors }, with_, ids)]);
    expect(largestError(logits(null), expected('logits'))).toBeLessThan(1e-5);
    expect(largestError(logits(adapter), expected('adapted_logits'))).toBeLessThan(1e-5);
    if (patterned) expect(largestError(logits(patterned), expected('adapted_logits_patterns'))).toBeLessThan(1e-5);
    const found = referenceLoss({ config, tensors }, adapter, examples);
    expect(Math.abs(found.loss / loss - 1)).toBeLessThan(1e-5);
    split(
      found.gradient,
      gradient.map(({ length }) => length),
    ).forEach((values, module) => {
      expect(relativeError(values, gradient[module]!)).toBeLessThan(1e-4);
    });
  });
});

describe.each<BackendName>(['wasm', 'webgpu'])('parity on %s', (backend) => {
  beforeAll(async () => {
    if (backend === 'webgpu') await installNodeWebgpu();
    await selectBackend(backend);
  });

  it.each(cases)('%s: logits to 1e-4, LoRA gradients to 1e-3', { timeout: 120_000 }, async (name) => {
    const { config, tensors, adapter, patterned, examples, expected, loss, gradient } = load(name);
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
      gradient.map(({ length }) => length),
    ).forEach((values, module) => {
      expect(relativeError(values, gradient[module]!)).toBeLessThan(1e-3);
    });
  });
});
