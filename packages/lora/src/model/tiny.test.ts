/** The shipped base model against Hugging Face transformers with float64 weights: `models/tiny/reference.json`, made by `models/pretrain/reference.py`. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { viewTensor } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import { loraLayout, peftTensorName, publishedA, type LoraSpec } from '../adapter/index.ts';
import { checkTensors, parseModelConfig } from '../architecture/index.ts';
import { readSafetensors } from '../checkpoint/index.ts';
import { referenceLoss } from '../reference/index.ts';
import { installNodeWebgpu, lossAndGradientOnBackend, relativeError } from '../testing/index.ts';
import { loadTokenizer, type EncodedExample } from '../tokenizer/index.ts';
import { type BackendName, CausalLm, evaluate, selectBackend } from '../evaluation/index.ts';

interface Reference {
  texts: { text: string; ids: number[]; summedLoss: number }[];
  gradient: LoraSpec & {
    text: string;
    loss: number;
    firstA: number[];
    modules: Record<string, { norm: number; first: number[] }>;
  };
}

const folder = fileURLToPath(new URL('../../../../models/tiny/', import.meta.url));
const json = (file: string): unknown => JSON.parse(readFileSync(folder + file, 'utf8'));
const reference = json('reference.json') as Reference;
const config = parseModelConfig(json('config.json'));
const tensors = readSafetensors(readFileSync(`${folder}model.safetensors`));
const tokenizer = loadTokenizer(json('tokenizer.json'), json('tokenizer_config.json'));

const exampleOf = (ids: readonly number[]): EncodedExample => ({
  ids: Int32Array.from(ids.slice(0, -1)),
  labels: Int32Array.from(ids.slice(1)),
  domain: 'text',
});

describe('models/tiny', () => {
  it('has the tensors of its config', () => {
    expect(() => checkTensors(config, tensors)).not.toThrow();
  });

  it.each(reference.texts)('tokenises $text as the Python tokenizer does', ({ text, ids }) => {
    expect([tokenizer.bosId, ...tokenizer.encode(text)]).toEqual(ids);
    expect(tokenizer.decode(ids.slice(1))).toBe(text);
  });

  it.each(reference.texts)('f64 reference: the loss of $text', ({ ids, summedLoss }) => {
    const { loss } = referenceLoss({ config, tensors }, null, [exampleOf(ids)]);
    expect(Math.abs(loss * (ids.length - 1) - summedLoss)).toBeLessThan(1e-6 * summedLoss);
  });

  it.each<BackendName>(['wasm', 'webgpu'])(
    '%s: loss to 1e-4, LoRA gradient to 1e-3',
    { timeout: 180_000 },
    async (name) => {
      if (name === 'webgpu') await installNodeWebgpu();
      await selectBackend(name);
      const model = CausalLm.load(config, tensors);
      const { ids, summedLoss } = reference.texts[0]!;
      const example = exampleOf(ids);
      const { loss } = await evaluate(model, null, [example]);
      expect(Math.abs(loss * example.labels.length - summedLoss) / summedLoss).toBeLessThan(1e-4);

      const { rank, alpha, seed, targetModules } = reference.gradient;
      const spec: LoraSpec = { rank, alpha, seed, targetModules };
      const layout = await loraLayout(config, spec);
      const values = new Float32Array(layout.size);
      for (const tensor of layout.tensors) {
        const [rows, columns] = tensor.shape as [number, number];
        const view = viewTensor(values, tensor);
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < columns; j++) view[i * columns + j] = 0.02 * Math.sin(1 + 0.7 * i + 1.3 * j);
        }
      }
      const found = await lossAndGradientOnBackend(model, spec, values, [example]);
      model.dispose();
      expect(Math.abs(found.loss - reference.gradient.loss) / reference.gradient.loss).toBeLessThan(1e-4);
      for (const [module, { norm, first }] of Object.entries(reference.gradient.modules)) {
        const tensor = layout.tensors.find((entry) => entry.name === peftTensorName(module, 'B'))!;
        const gradient = viewTensor(found.gradient, tensor);
        expect(Math.abs(Math.hypot(...gradient) - norm) / norm).toBeLessThan(1e-3);
        expect(relativeError(gradient.subarray(0, first.length), first)).toBeLessThan(1e-3);
      }
    },
  );

  it('publishes the A that Python publishes', () => {
    const { rank, alpha, seed, targetModules, firstA } = reference.gradient;
    const [first] = publishedA(config, { rank, alpha, seed, targetModules });
    expect([...first!.subarray(0, firstA.length)]).toEqual(firstA);
  });
});
