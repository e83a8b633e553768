/** Fed token by token or in chunks, a text has the logits of the whole row at once: every architecture, with an adapter. */
import { SeededRandom } from '@oneround/fl-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { loraLayout, type LoraSpec, publishedA } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import type { TensorEntry } from '../checkpoint/index.ts';
import {
  configs,
  fixtureNames,
  installNodeWebgpu,
  loadFixture,
  logitsOnBackend,
  randomB,
  randomTensors,
} from '../testing/index.ts';
import { memory, selectBackend } from '../tensor/index.ts';
import { type AdapterValues, CausalLm } from '../evaluation/index.ts';
import { DecodingSession } from './index.ts';

interface Case {
  config: ModelConfig;
  tensors: ReadonlyMap<string, TensorEntry>;
  adapter: Omit<AdapterValues, 'layout'> & { a: readonly Float32Array[] };
}

/** Windows of three to five positions, and GPT-2's learned ones. */
function random(name: string): Case {
  const { config, targets } = configs[name]!;
  const spec: LoraSpec = { rank: 3, alpha: 6, targetModules: targets, seed: 9 };
  return {
    config,
    tensors: randomTensors(config, 51),
    adapter: { spec, a: publishedA(config, spec), values: randomB(config, spec, 52) },
  };
}

/** Chunks of these lengths, the last tokens one by one; together GPT-2's 17 positions here, and more than any window. */
const ones = Array.from({ length: 17 }, () => 1);
const chunkings = [ones, [9, ...ones.slice(9)], [1, 4, 1, 7, 4]];
/** A software GPU takes milliseconds an operation. */
const fewChunks = [[6, 1, 1, 3]];

async function expectSameLogits({ config, tensors, adapter }: Case, lengthsOf = chunkings): Promise<void> {
  const before = memory().numTensors;
  const model = CausalLm.load(config, tensors);
  const random = new SeededRandom(53);
  const ids = Array.from({ length: lengthsOf[0]!.reduce((a, b) => a + b) }, () => random.nextInt(config.vocabSize));
  const row = { ids: Int32Array.from(ids), labels: Int32Array.from(ids), domain: '' };
  const { vocabSize: columns } = config;
  const layout = await loraLayout(config, adapter.spec);
  for (const adapted of [null, adapter]) {
    const whole = await logitsOnBackend(model, adapted, [row]);
    const scale = whole.reduce((largest, logit) => Math.max(largest, Math.abs(logit)), 0);
    for (const lengths of lengthsOf) {
      const session = new DecodingSession(model, adapted && { ...adapted, layout });
      let fed = 0;
      for (const length of lengths) {
        const chunk = ids.slice(fed, fed + length);
        const logits = await session.feed(chunk);
        fed += chunk.length;
        const expected = whole.subarray((fed - 1) * columns, fed * columns);
        expect(logits.length).toBe(columns);
        const worst = logits.reduce((most, logit, id) => Math.max(most, Math.abs(logit - expected[id]!)), 0);
        expect(worst / scale).toBeLessThan(1e-5);
      }
      expect(fed).toBe(ids.length);
      session.dispose();
    }
  }
  model.dispose();
  expect(memory().numTensors).toBe(before);
}

describe('a decoding session on wasm', () => {
  beforeAll(() => selectBackend('wasm'));

  it.each(fixtureNames)('%s', (name) => expectSameLogits(loadFixture(name)));

  it.each(Object.keys(configs))('%s, random', (name) => expectSameLogits(random(name)));

  it('frees everything when the adapter is another model’s', async () => {
    const { config, tensors, adapter } = random('qwen2');
    const model = CausalLm.load(config, tensors);
    const before = memory().numTensors;
    const layout = await loraLayout(config, { ...adapter.spec, rank: 2 });
    expect(() => new DecodingSession(model, { ...adapter, layout })).toThrow(/layout/);
    expect(memory().numTensors).toBe(before);
    model.dispose();
  });
});

describe('a decoding session on webgpu', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    await installNodeWebgpu();
    await selectBackend('webgpu');
  });

  it.each(['gemma3-text', 'gpt2'])('%s', (name) => expectSameLogits(loadFixture(name), fewChunks));
});
