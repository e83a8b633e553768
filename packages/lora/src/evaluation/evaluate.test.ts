import type { AdapterLayout } from '@oneround/fl-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { loraLayout, type LoraSpec, publishedA } from '../adapter/index.ts';
import { referenceLoss } from '../reference/index.ts';
import { greedyTokens, randomB, randomExamples, randomTensors, tinyConfig, updateOfB } from '../testing/index.ts';
import { memory } from '../tensor/index.ts';
import { NOT_SCORED } from '../tokenizer/index.ts';
import { CausalLm, evaluate, logLikelihoods, selectBackend } from './index.ts';

const config = tinyConfig();
const tensors = randomTensors(config, 31);
const spec: LoraSpec = { rank: 6, alpha: 12, targetModules: ['q_proj', 'v_proj', 'up_proj', 'down_proj'], seed: 2 };
const rows = randomExamples(config, [9, 4, 14, 7, 11, 5, 16], 41);
const stop = () => Promise.reject(new Error('stopped'));

let model: CausalLm;
let layout: AdapterLayout;

beforeAll(async () => {
  await selectBackend('wasm');
  model = CausalLm.load(config, tensors);
  layout = await loraLayout(config, spec);
});

describe('evaluate', () => {
  it('has the reference loss, whatever the batch size, and counts what it scored', async () => {
    const values = randomB(config, spec, 8);
    const expected = referenceLoss({ config, tensors }, { spec, values }, rows).loss;
    const before = memory().numTensors;
    for (const batchSize of [1, 3, 16]) {
      const found = await evaluate(model, { spec, layout, values }, rows, { batchSize });
      expect(found.loss).toBeCloseTo(expected, 5);
      expect(found.examples).toBe(7);
      expect(found.labelTokens).toBe(rows.flatMap(({ labels }) => [...labels].filter((label) => label >= 0)).length);
      expect(Object.keys(found.domains)).toEqual(['even', 'odd']);
      const even = rows.filter(({ domain }) => domain === 'even');
      const loss = referenceLoss({ config, tensors }, { spec, values }, even).loss;
      expect(found.domains.even!.loss).toBeCloseTo(loss, 5);
      expect(found.domains.even!.examples).toBe(4);
    }
    expect(memory().numTensors).toBe(before);
  });

  it('adds to the published A what was trained of it', async () => {
    const both: LoraSpec = { ...spec, trains: 'a-and-b' };
    const b = randomB(config, spec, 8);
    const a = publishedA(config, spec);
    const added = a.map((matrix, i) => matrix.map((_, j) => ((i + 3 * j) % 7) / 50 - 0.06));
    const values = Float32Array.from([...b, ...added.flatMap((matrix) => [...matrix])]);
    const moved = a.map((matrix, i) => matrix.map((value, j) => value + added[i]![j]!));
    const expected = referenceLoss({ config, tensors }, { spec, values: b, a: moved }, rows).loss;
    const found = await evaluate(model, { spec: both, layout: await loraLayout(config, both), values }, rows);
    expect(found.loss).toBeCloseTo(expected, 5);
    expect(Math.abs(expected - referenceLoss({ config, tensors }, { spec, values: b, a }, rows).loss)).toBeGreaterThan(
      1e-3,
    );
  });

  it('of a model with an update in its weights is that of the adapter which the update is of', async () => {
    const values = randomB(config, spec, 8);
    const update = updateOfB(config, spec, values);
    const base = await evaluate(model, null, rows);
    const expected = await evaluate(model, { spec, layout, values }, rows);
    const before = memory().numTensors;
    const updated = model.withUpdate(spec, update);
    const found = await evaluate(updated, null, rows);
    updated.dispose();
    expect(found.loss).toBeCloseTo(expected.loss, 5);
    expect(Math.abs(found.loss - base.loss)).toBeGreaterThan(1e-3);
    expect(memory().numTensors).toBe(before);
    expect(await evaluate(model, null, rows)).toEqual(base);
    expect(() => model.withUpdate(spec, update.subarray(1))).toThrow(RangeError);
  });

  it('an adapter of zeros is the base model', async () => {
    const values = new Float32Array(layout.size);
    expect(await evaluate(model, { spec, layout, values }, rows)).toEqual(await evaluate(model, null, rows));
  });

  it('gives the log-likelihood of each example, in their order', async () => {
    const values = randomB(config, spec, 8);
    const found = await logLikelihoods(model, { spec, layout, values }, rows, { batchSize: 3 });
    const expected = rows.map((row) => {
      const labels = row.labels.filter((label) => label !== NOT_SCORED).length;
      return -referenceLoss({ config, tensors }, { spec, values }, [row]).loss * labels;
    });
    expect(found).toHaveLength(rows.length);
    found.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 4));
  });

  it('calls an example right only when every label is the most likely token', async () => {
    const [first] = rows;
    const [best] = await greedyTokens(model, null, [...first!.ids], { maxNewTokens: 1 });
    const labels = first!.labels.slice().fill(NOT_SCORED);
    labels[labels.length - 1] = best!;
    const right = { ...first!, labels };
    const wrong = { ...first!, labels: labels.with(0, (best! + 1) % config.vocabSize) };
    const scored = await evaluate(model, null, [right, { ...wrong, domain: 'wrong' }]);
    expect(scored).toMatchObject({ accuracy: 0.5, domains: { even: { accuracy: 1 }, wrong: { accuracy: 0 } } });
  });

  it('tells after every batch how far it is, and stops when the listener throws', async () => {
    const seen: [number, number][] = [];
    await evaluate(model, null, rows, { batchSize: 3, onBatch: (done, total) => void seen.push([done, total]) });
    expect(seen).toEqual([
      [3, 7],
      [6, 7],
      [7, 7],
    ]);
    const before = memory().numTensors;
    await expect(evaluate(model, null, rows, { onBatch: stop })).rejects.toThrow('stopped');
    expect(memory().numTensors).toBe(before);
  });

  it('refuses values of another adapter and a loss that is not a number', async () => {
    await expect(evaluate(model, { spec, layout, values: new Float32Array(3) }, rows)).rejects.toMatchObject({
      code: 'wrong_shape',
    });
    const values = new Float32Array(layout.size).fill(NaN);
    await expect(evaluate(model, { spec, layout, values }, rows)).rejects.toMatchObject({ code: 'not_finite' });
  });
});
