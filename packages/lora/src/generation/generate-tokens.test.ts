import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loraLayout, type LoraSpec, publishedA } from '../adapter/index.ts';
import { logitsOnBackend, randomB, randomTensors, tinyConfig } from '../testing/index.ts';
import { memory, selectBackend } from '../tensor/index.ts';
import { type AdapterValues, CausalLm } from '../evaluation/index.ts';
import { generateTokens, type TokenOptions } from './index.ts';

const config = tinyConfig();
const spec: LoraSpec = { rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'], seed: 2 };
const greedy: TokenOptions = {
  sampling: { temperature: 0, topK: null, topP: 1, seed: 0 },
  maxNewTokens: 12,
  stopIds: [],
};
const sampled: TokenOptions = { ...greedy, sampling: { temperature: 1.5, topK: 20, topP: 0.95, seed: 5 } };

let model: CausalLm;
let adapter: AdapterValues;
let before: number;

beforeAll(async () => {
  await selectBackend('wasm');
  model = CausalLm.load(config, randomTensors(config, 61));
  adapter = { spec, layout: await loraLayout(config, spec), values: randomB(config, spec, 62) };
  before = memory().numTensors;
});

afterAll(() => model.dispose());

async function collected(promptIds: readonly number[], options: TokenOptions, adapted: AdapterValues | null = null) {
  const ids: number[] = [];
  const tokens = generateTokens(model, adapted, promptIds, options);
  for (;;) {
    const next = await tokens.next();
    if (next.done) return { ids, end: next.value };
    ids.push(next.value);
  }
}

/** Greedy decoding without a cache. */
async function wholeRows(promptIds: readonly number[], count: number, adapted: AdapterValues | null) {
  const ids = [...promptIds];
  const lora = adapted && { ...adapted, a: publishedA(config, spec) };
  for (let i = 0; i < count; i++) {
    const row = { ids: Int32Array.from(ids), labels: Int32Array.from(ids), domain: '' };
    const last = (await logitsOnBackend(model, lora, [row])).subarray(-config.vocabSize);
    ids.push(last.indexOf(Math.max(...last)));
  }
  return ids.slice(promptIds.length);
}

describe('generateTokens', () => {
  it('goes on as running the whole row again would, with and without an adapter', async () => {
    const prompt = [1, 9, 4, 30];
    const base = await collected(prompt, greedy);
    const adapted = await collected(prompt, greedy, adapter);
    expect(base).toEqual({ ids: await wholeRows(prompt, 12, null), end: 'max-new-tokens' });
    expect(adapted.ids).toEqual(await wholeRows(prompt, 12, adapter));
    expect(adapted.ids).not.toEqual(base.ids);
  });

  it('says the same for the same seed', async () => {
    const first = await collected([3], sampled);
    expect(await collected([3], sampled)).toEqual(first);
    const other = { ...sampled, sampling: { ...sampled.sampling, seed: 6 } };
    expect(await collected([3], other)).not.toEqual(first);
  });

  it('ends before a stop id', async () => {
    const { ids } = await collected([1, 2], greedy);
    const stop = ids[5]!;
    const upTo = ids.slice(0, ids.indexOf(stop));
    expect(await collected([1, 2], { ...greedy, stopIds: [stop] })).toEqual({ ids: upTo, end: 'stop-id' });
  });

  it('ends at the model’s last position', async () => {
    const long = Array.from({ length: config.maxPositions - 3 }, (_, i) => i % config.vocabSize);
    const { ids, end } = await collected(long, greedy);
    expect([ids.length, end]).toEqual([3, 'max-positions']);
    expect(ids).toEqual(await wholeRows(long, 3, null));
  });

  it('gives nothing for no new tokens', async () => {
    expect(await collected([1], { ...greedy, maxNewTokens: 0 })).toEqual({ ids: [], end: 'max-new-tokens' });
  });

  it.each([NaN, -1, 1.5])('refuses to write %d tokens', async (maxNewTokens) => {
    await expect(collected([1], { ...greedy, maxNewTokens })).rejects.toMatchObject({ code: 'bad_settings' });
  });

  it('stops when told, between two tokens, and frees everything', async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const run = async () => {
      for await (const token of generateTokens(model, adapter, [1], { ...greedy, signal: controller.signal })) {
        seen.push(token);
        if (seen.length === 3) controller.abort(new Error('enough'));
      }
    };
    await expect(run()).rejects.toThrow('enough');
    expect(seen).toHaveLength(3);
    expect(memory().numTensors).toBe(before);
  });

  it('frees everything when the reader leaves', async () => {
    for await (const token of generateTokens(model, adapter, [1], greedy)) {
      expect(token).toBeGreaterThanOrEqual(0);
      break;
    }
    expect(memory().numTensors).toBe(before);
  });

  it.each([
    [[], 'bad_prompt'],
    [[37], 'bad_prompt'],
    [[-1], 'bad_prompt'],
    [[0.5], 'bad_prompt'],
    [Array.from({ length: 64 }, () => 1), 'too_long'],
  ])('refuses the prompt %j: %s', async (prompt, code) => {
    await expect(collected(prompt, greedy)).rejects.toMatchObject({ name: 'GenerationError', code });
    expect(memory().numTensors).toBe(before);
  });

  it('refuses an adapter that breaks the model', async () => {
    const broken = { ...adapter, values: adapter.values.map(() => NaN) };
    await expect(collected([1], greedy, broken)).rejects.toMatchObject({ code: 'not_finite' });
    expect(memory().numTensors).toBe(before);
  });
});
