/** A campaign whose clients train A as well as B, merged by factor mean: its adapter is the published A plus the mean of what was added, and the mean of B's. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ExactFold, mergeSettingsSchema, parseRecords } from '@oneround/fl-core';
import { type ImportedAdapter, importPeft, loraLayout, publishedA } from '@oneround/lora/adapter';
import { parseModelConfig } from '@oneround/lora/architecture';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { CausalLm, evaluate, selectBackend } from '@oneround/lora/evaluation';
import { encodeExamples, loadTokenizer } from '@oneround/lora/tokenizer';
import { LoraTrainer, weightsInMemory } from '@oneround/lora/training';
import { wasmEngine } from '@oneround/lora/step';
import { loadNodeKernels } from '@oneround/lora/wasm/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultCampaign } from '../cli/defaults.ts';
import { collect } from '../testing/collect.ts';
import { exportedFiles } from '../testing/exported-files.ts';
import { contributeTo, deltaFor, joinLedger } from '../testing/ledger-volunteer.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { Ledger } from './ledger.ts';
import { verifyDataDir } from './verify.ts';

const tiny = resolve(defaultCampaign, '../../../models/tiny');
const json = (name: string): unknown => JSON.parse(readFileSync(join(tiny, name), 'utf8'));
const config = parseModelConfig(json('config.json'));
const spec = { ...smallAdapter, trains: 'a-and-b' as const };
const start = publishedA(config, spec).flatMap((a) => [...a]);
const layoutOfB = await loraLayout(config, smallAdapter);
const sizeOfB = layoutOfB.size;

let campaign: TestCampaign;
let ledger: Ledger;

beforeEach(async () => {
  const merge = mergeSettingsSchema.parse({ rule: 'factor-mean', screens: null });
  campaign = makeTestCampaign({ adapter: spec, merge });
  ledger = await Ledger.open({ dataDir: campaign.dataDir });
  await ledger.addCampaign(campaign.file);
});

afterEach(async () => {
  await ledger.close();
  campaign.remove();
});

async function contribute(seed: number) {
  const { weightScale } = ledger.definition('test').manifest;
  const volunteer = await joinLedger(ledger);
  const delta = deltaFor(ledger, seed);
  const { contributionId } = await contributeTo(ledger, volunteer, delta);
  return { contributionId, delta, weight: volunteer.lease.maxLabelTokens * weightScale };
}

async function exported(version: number): Promise<ImportedAdapter> {
  const { adapterConfig, adapterModel } = await exportedFiles(ledger, 'test', version);
  return importPeft(config, JSON.parse(new TextDecoder().decode(adapterConfig)), adapterModel);
}

const verified = async () => (await collect(verifyDataDir(campaign.dataDir, 'test')))[0];

describe('a campaign that trains A and B', () => {
  it('asks for both sides', () => {
    const { layout, upload } = ledger.definition('test').manifest;
    expect(layout.size).toBe(sizeOfB + start.length);
    expect(upload.bytes).toBe(12 + 4 * layout.size);
  });

  it('withdraws to the bit, verifies, and exports the published A plus the mean of what was added', async () => {
    const made = [await contribute(1), await contribute(2), await contribute(3)];
    await ledger.fold('test');
    await ledger.withdraw(made[1]!.contributionId);
    await ledger.fold('test');
    const kept = [made[0]!, made[2]!];
    const fold = new ExactFold(sizeOfB + start.length);
    for (const { delta, weight } of kept) fold.add(delta, weight);
    const mean = fold.mean();
    const { version, sha256 } = (await ledger.state('test')).versions.at(-1)!;
    expect(sha256).toBe(createHash('sha256').update(new Uint8Array(mean.buffer)).digest('hex'));
    expect(await verified()).toMatchObject({ withdrawn: 1, pending: 0 });
    const { a, values } = await exported(version);
    expect(values).toEqual(mean.subarray(0, sizeOfB));
    const moved = Float32Array.from(start, (value, i) => value + mean[sizeOfB + i]!);
    expect(Float32Array.from(a.flatMap((matrix) => [...matrix]))).toEqual(moved);
    expect(moved).not.toEqual(Float32Array.from(start));
    expect(Float32Array.from((await exported(0)).a.flatMap((matrix) => [...matrix]))).toEqual(Float32Array.from(start));
  });

  it('has a client train both from the published A; values, export and the next step agree on what came of it', async () => {
    const { adapter, layout, data, training } = ledger.definition('test').manifest;
    const tensors = readSafetensors(readFileSync(join(tiny, 'model.safetensors')));
    const tokenizer = loadTokenizer(json('tokenizer.json'), json('tokenizer_config.json'));
    const records = parseRecords(readFileSync(join(campaign.folder, 'train.jsonl'), 'utf8'));
    const { examples } = encodeExamples(tokenizer, records, data.template, training.maxTokens);
    const openEngine = wasmEngine(await loadNodeKernels(), weightsInMemory(config, tensors));
    const settings = { ...training, epochs: 2, batchSize: examples.length };
    const open = (from?: Float32Array) =>
      LoraTrainer.open({ config, spec: adapter, layout, examples, settings, start: from }, openEngine);

    const trainer = await open();
    while (trainer.step < trainer.totalSteps) await trainer.nextStep();
    const delta = await trainer.delta();
    trainer.dispose();
    expect(delta.subarray(0, sizeOfB).some((value) => value !== 0)).toBe(true);
    expect(delta.subarray(sizeOfB).some((value) => value !== 0)).toBe(true);
    await contributeTo(ledger, await joinLedger(ledger), delta);
    await ledger.fold('test');
    const { values } = await ledger.subjectChange('test', { kind: 'version', version: 1 });
    expect(values).toEqual(delta);

    await selectBackend('wasm');
    const model = CausalLm.load(config, tensors);
    const { loss } = await evaluate(model, { spec: adapter, layout, values }, examples);
    const read = await exported(1);
    const { loss: lossOfExport } = await evaluate(model, { ...read, layout: layoutOfB }, examples);
    const onlyB = { spec: smallAdapter, layout: layoutOfB, values: values.slice(0, sizeOfB) };
    const { loss: withoutA } = await evaluate(model, onlyB, examples);
    model.dispose();
    expect(lossOfExport).toBeCloseTo(loss, 6);
    expect(Math.abs(withoutA - loss)).toBeGreaterThan(1e-4);
    const next = await open(values);
    expect((await next.nextStep()).loss).toBeCloseTo(loss, 4);
    next.dispose();
  });
});
