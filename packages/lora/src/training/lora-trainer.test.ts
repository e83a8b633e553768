import type { AdapterLayout } from '@oneround/fl-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { loraLayout, type LoraSpec } from '../adapter/index.ts';
import {
  greedyTokens,
  installNodeWebgpu,
  randomB,
  randomExamples,
  randomTensors,
  tinyConfig,
} from '../testing/index.ts';
import { NOT_SCORED, type EncodedExample } from '../tokenizer/index.ts';
import { openDevice, requestAdapter } from '../device/index.ts';
import { CausalLm, evaluate, selectBackend, tfjsEngine } from '../evaluation/index.ts';
import { type OpenEngine, twinEngine, wasmEngine, webgpuEngine, weightsInMemory } from '../step/index.ts';
import { loadNodeKernels } from '../wasm/node-kernels.ts';
import { LoraTrainer, type LoraTrainerOptions, TrainingError, type TrainingSettings } from './index.ts';

const config = tinyConfig();
const tensors = randomTensors(config, 31);
// A random tied head of 24 channels cannot be sure of anything; louder hidden states let it be.
tensors.get('model.norm.weight')!.values.forEach((value, i, values) => (values[i] = 4 * value));
const spec: LoraSpec = { rank: 6, alpha: 12, targetModules: ['q_proj', 'v_proj', 'up_proj', 'down_proj'], seed: 2 };
const settings: TrainingSettings = {
  epochs: 4,
  batchSize: 3,
  maxTokens: 20,
  learningRate: 0.02,
  warmupRatio: 0.1,
  weightDecay: 0.01,
  clipNorm: 1,
  seed: 5,
};

/** Rows BOS, two tokens that name the row, three answer tokens, EOS. */
const facts: EncodedExample[] = Array.from({ length: 8 }, (_, row) => {
  const answer = [(row * 7 + 3) % 30, (row * 5 + 11) % 30, (row * 3 + 1) % 30].map((token) => token + 3);
  const prompt = [1, 3 + row, 12 + row];
  return {
    ids: Int32Array.from([...prompt, ...answer]),
    labels: Int32Array.from([NOT_SCORED, NOT_SCORED, ...answer, 2]),
    domain: row < 4 ? 'first' : 'second',
  };
});
const rows = randomExamples(config, [9, 4, 14, 7, 11, 5, 16], 41);

let model: CausalLm;
let layout: AdapterLayout;

/** Every engine keeps the same contract. Tolerances are those of float32. */
const engines: { name: string; overlaps?: boolean; open: () => Promise<OpenEngine> }[] = [
  { name: 'TFJS on WASM', open: async () => tfjsEngine(model) },
  { name: 'the f64 twin', open: async () => twinEngine(weightsInMemory(config, tensors)) },
  {
    name: 'WASM',
    open: async () => wasmEngine(await loadNodeKernels(), weightsInMemory(config, tensors)),
  },
  {
    name: 'the recorded step on WebGPU',
    overlaps: true,
    open: async () => {
      await installNodeWebgpu();
      return webgpuEngine(await openDevice(await requestAdapter()), weightsInMemory(config, tensors));
    },
  },
];

beforeAll(async () => {
  await selectBackend('wasm');
  model = CausalLm.load(config, tensors);
  layout = await loraLayout(config, spec);
});

/** Takes `count` steps, or all that are left. */
async function run(training: LoraTrainer, count = Infinity) {
  const reports = [];
  while (training.step < training.totalSteps && reports.length < count) reports.push(await training.nextStep());
  return reports;
}

const losses = (reports: { loss: number }[]) => reports.map(({ loss }) => loss);

const rowOf = (ids: number[], labels = ids) => ({
  ids: Int32Array.from(ids),
  labels: Int32Array.from(labels),
  domain: '',
});

describe.each(engines)('LoraTrainer on $name', { timeout: 120_000 }, ({ open, overlaps }) => {
  let openEngine: OpenEngine;

  beforeAll(async () => {
    openEngine = await open();
  });

  const trainer = (options: Partial<LoraTrainerOptions> = {}) =>
    LoraTrainer.open({ config, spec, layout, examples: rows, settings, ...options }, openEngine);

  /** A whole run under another seed. */
  const train = async (seed: number) => {
    const training = await trainer({ settings: { ...settings, seed } });
    const losses = (await run(training)).map(({ loss }) => loss);
    const delta = await training.delta();
    training.dispose();
    return { losses, delta };
  };

  /** The first step under a clip norm: the gradient's norm, and that of Adam's first moment, which is linear in it. */
  const firstStepUnder = async (clipNorm: number) => {
    const training = await trainer({ settings: { ...settings, clipNorm } });
    const [report] = await run(training, 1);
    const { firstMoment } = await training.checkpoint();
    training.dispose();
    return { norm: report!.gradientNorm, moment: Math.hypot(...firstMoment) };
  };

  it('learns eight facts by heart, and then says them', async () => {
    const training = await trainer({
      examples: facts,
      settings: { ...settings, epochs: 60, batchSize: 4, learningRate: 0.03, weightDecay: 0 },
    });
    const reports = await run(training);
    const adapter = { spec, layout, values: await training.delta() };
    training.dispose();
    const base = await evaluate(model, null, facts);
    expect(base.accuracy).toBe(0);
    expect(reports.at(-1)!.loss).toBeLessThan(0.05);
    const learnt = await evaluate(model, adapter, facts);
    expect(learnt.loss).toBeLessThan(0.05);
    expect(learnt.accuracy).toBe(1);
    for (const { ids } of facts) {
      const said = await greedyTokens(model, adapter, [...ids.subarray(0, 3)], { maxNewTokens: 8, stopIds: [2] });
      expect(said).toEqual([...ids.subarray(3)]);
    }
  });

  it('reports what it did', async () => {
    const training = await trainer();
    expect(training.totalSteps).toBe(4 * 3);
    const reports = await run(training);
    training.dispose();
    expect(reports.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(reports.map(({ epoch }) => epoch)).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    const perEpoch = rows.reduce((sum, { ids }) => sum + ids.length, 0);
    expect(reports.slice(0, 3).reduce((sum, { tokens }) => sum + tokens, 0)).toBe(perEpoch);
    for (const report of reports) {
      expect(report).toMatchObject({ steps: 12, epochs: 4 });
      expect(report.gradientNorm).toBeGreaterThan(0);
      expect(report.milliseconds).toBeGreaterThan(0);
    }
  });

  it('gives the same bits for the same seed, and others for another', async () => {
    const first = await train(5);
    expect(await train(5)).toEqual(first);
    expect((await train(6)).delta).not.toEqual(first.delta);
  });

  it('continues from a checkpoint to the very bits of a run that never stopped', async () => {
    const start = randomB(config, spec, 8);
    const whole = await trainer({ start });
    const wholeReports = await run(whole);
    const first = await trainer({ start });
    const firstReports = await run(first, 5);
    const stored = structuredClone(await first.checkpoint());
    first.dispose();
    const second = await trainer({ start, resume: stored });
    expect(second.step).toBe(5);
    const secondReports = await run(second);
    expect([...losses(firstReports), ...losses(secondReports)]).toEqual(losses(wholeReports));
    expect(await second.delta()).toEqual(await whole.delta());
    expect(await second.checkpoint()).toEqual(await whole.checkpoint());
    second.dispose();
    whole.dispose();
  });

  it('gives the delta from the published start, which is nothing before the first step', async () => {
    const start = randomB(config, spec, 8);
    const training = await trainer({ start });
    expect(await training.delta()).toEqual(new Float32Array(layout.size));
    await training.nextStep();
    const { values } = await training.checkpoint();
    expect(await training.delta()).toEqual(values.map((value, i) => value - start[i]!));
    training.dispose();
  });

  it('clips: under a tiny clip norm only the direction counts', async () => {
    const free = await firstStepUnder(1e9);
    const clipped = await firstStepUnder(free.norm / 4);
    expect(clipped.norm).toBeCloseTo(free.norm, 5);
    expect(clipped.moment / free.moment).toBeCloseTo(0.25, 4);
  });

  it('refuses to go on from a loss that is not a number, and leaves the adapter as it was', async () => {
    const start = new Float32Array(layout.size);
    start[0] = NaN;
    const training = await trainer({ start });
    await expect(training.nextStep()).rejects.toMatchObject({ code: 'not_finite' });
    expect((await training.checkpoint()).values).toEqual(start);
    expect(training.step).toBe(0);
    training.dispose();
  });

  it('takes the same steps when each is started before the last one is back', async () => {
    const plain = await trainer();
    const expected = await run(plain);
    const ahead = await trainer();
    const reports = [];
    while (ahead.step < ahead.totalSteps) reports.push(await ahead.nextStep({ goesOn: true }));
    expect(losses(reports)).toEqual(losses(expected));
    expect(await ahead.checkpoint()).toEqual(await plain.checkpoint());
    plain.dispose();
    ahead.dispose();
  });

  it('counts a step that was started ahead in its checkpoint, and goes on from there', async () => {
    const plain = await trainer();
    const expected = losses(await run(plain));
    const first = await trainer();
    await first.nextStep({ goesOn: true });
    const stored = await first.checkpoint();
    expect(stored.step).toBe(overlaps ? 2 : 1);
    first.dispose();
    const second = await trainer({ resume: stored });
    expect(losses(await run(second))).toEqual(expected.slice(stored.step));
    second.dispose();
    plain.dispose();
  });

  it('takes no step after the last', async () => {
    const training = await trainer({ settings: { ...settings, epochs: 1 } });
    await run(training);
    await expect(training.nextStep()).rejects.toMatchObject({ code: 'finished' });
    training.dispose();
  });

  it('refuses what does not fit, by code', async () => {
    const training = await trainer();
    const stored = await training.checkpoint();
    training.dispose();
    const refused = async (options: Partial<LoraTrainerOptions>) => {
      try {
        (await trainer(options)).dispose();
      } catch (error) {
        if (error instanceof TrainingError) return error.code;
        throw error;
      }
      return 'accepted';
    };
    expect(await refused({ examples: [] })).toBe('no_examples');
    expect(await refused({ examples: [rowOf(Array.from({ length: 65 }, () => 1))] })).toBe('too_long');
    expect(await refused({ examples: [rowOf([1, 37])] })).toBe('wrong_shape');
    expect(await refused({ examples: [rowOf([1, 2], [1])] })).toBe('wrong_shape');
    expect(await refused({ start: new Float32Array(3) })).toBe('wrong_shape');
    expect(await refused({ spec: { ...spec, rank: 5 } })).toBe('wrong_shape');
    expect(await refused({ resume: stored, settings: { ...settings, seed: 6 } })).toBe('wrong_checkpoint');
    expect(await refused({ resume: { ...stored, values: new Float32Array(1) } })).toBe('wrong_shape');
    expect(await refused({ resume: stored })).toBe('accepted');
  });
});
