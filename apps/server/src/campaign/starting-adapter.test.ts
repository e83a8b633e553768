/** A campaign that starts from an adapter which exists already: through the real server, ledger, fold and evaluation. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseRecords, SeededRandom, type CampaignState } from '@oneround/fl-core';
import { adaptedModules, exportPeft, type ImportedAdapter, importPeft, loraLayout } from '@oneround/lora/adapter';
import { type ModelConfig, parseModelConfig } from '@oneround/lora/architecture';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { encodeExamples, loadTokenizer } from '@oneround/lora/tokenizer';
import { CausalLm, evaluate, selectBackend, tfjsEngine } from '@oneround/lora/evaluation';
import { LoraTrainer } from '@oneround/lora/training';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunningServer } from '../server.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { seededDelta, TestClient } from '../testing/test-client.ts';
import { serveTestCampaign } from '../testing/test-server.ts';

const tiny = resolve(import.meta.dirname, '../../../../models/tiny');
const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

/** An adapter that no seed gives: both sides random, ranks by pattern, rsLoRA. */
function someAdapter(config: ModelConfig): ImportedAdapter {
  const spec = {
    rank: 4,
    alpha: 6,
    targetModules: ['q_proj', 'v_proj', 'down_proj'],
    rankPattern: { 'layers.1.*v_proj': 2 },
    alphaPattern: { down_proj: 3 },
    useRslora: true,
  };
  const modules = adaptedModules(config, spec);
  const random = new SeededRandom(7);
  const uniform = (length: number, size: number) =>
    Float32Array.from({ length }, () => (random.nextUnit() - 0.5) * size);
  const size = modules.reduce((sum, { out, rank }) => sum + out * rank, 0);
  return { spec, a: modules.map(({ rank, in: inputs }) => uniform(rank * inputs, 0.3)), values: uniform(size, 0.2) };
}

let campaign: TestCampaign;
let server: RunningServer;
let config: ModelConfig;
let start: ImportedAdapter;

const serve = () => serveTestCampaign(campaign);

beforeEach(async () => {
  config = parseModelConfig(json(join(tiny, 'config.json')));
  start = someAdapter(config);
  campaign = makeTestCampaign({ adapter: { start: 'adapter' } });
  const files = exportPeft({ config, ...start, baseModelName: 'tiny' });
  mkdirSync(join(campaign.folder, 'adapter'));
  writeFileSync(join(campaign.folder, 'adapter/adapter_config.json'), files.adapterConfig);
  writeFileSync(join(campaign.folder, 'adapter/adapter_model.safetensors'), files.adapterModel);
  server = await serve();
});

afterEach(async () => {
  await server.close();
  campaign.remove();
});

async function exported(version: number | 'latest'): Promise<ImportedAdapter> {
  const file = (name: string) => fetch(`${server.url}/v1/campaigns/test/versions/${version}/${name}`);
  const [adapterConfig, adapterModel] = await Promise.all([
    file('adapter_config.json'),
    file('adapter_model.safetensors'),
  ]);
  return importPeft(config, await adapterConfig.json(), new Uint8Array(await adapterModel.arrayBuffer()));
}

async function evaluatedVersions(count: number): Promise<CampaignState> {
  return vi.waitFor(
    async () => {
      const state = (await (await fetch(`${server.url}/v1/campaigns/test/state`)).json()) as CampaignState;
      expect(state.versions).toHaveLength(count);
      expect([
        ...state.versions.map((row) => row.evaluation),
        ...state.contributions.map((row) => row.alone),
      ]).not.toContain(null);
      return state;
    },
    { timeout: 60_000, interval: 100 },
  );
}

const adapterFolder = () => join(campaign.folder, 'adapter');

async function restart(): Promise<void> {
  await server.close();
  server = await serve();
}

describe('a campaign that starts from a PEFT folder', () => {
  it('publishes the adapter, and version 0 is that adapter, with its held-out loss', async () => {
    const client = await TestClient.connect(server.url);
    client.close();
    const { adapter, data, training } = client.manifest;
    if (!('start' in adapter)) throw new Error('the manifest names no start');
    const published = await fetch(`${server.url}/v1/files/${adapter.start.sha256}`);
    const given = readFileSync(join(campaign.folder, 'adapter/adapter_model.safetensors'));
    expect(Buffer.from(await published.arrayBuffer()).equals(given)).toBe(true);
    expect(await exported(0)).toEqual(start);

    await selectBackend('wasm');
    const model = CausalLm.load(config, readSafetensors(readFileSync(join(tiny, 'model.safetensors'))));
    const tokenizer = loadTokenizer(json(join(tiny, 'tokenizer.json')), json(join(tiny, 'tokenizer_config.json')));
    const records = parseRecords(readFileSync(join(campaign.folder, 'heldout.jsonl'), 'utf8'));
    const { examples } = encodeExamples(tokenizer, records, data.template, training.maxTokens);
    const layout = await loraLayout(config, start.spec);
    const { loss } = await evaluate(model, { ...start, layout }, examples);
    const { loss: baseLoss } = await evaluate(model, null, examples);
    const [version] = (await evaluatedVersions(1)).versions;
    expect(version!.evaluation!.loss).toBeCloseTo(loss, 5);
    expect(Math.abs(loss - baseLoss)).toBeGreaterThan(0.01);

    // What a volunteer does: the first step starts at the adapter, not at the base model.
    const trainer = await LoraTrainer.open(
      {
        ...{ config, spec: adapter, layout, examples, a: start.a, start: start.values },
        settings: { ...training, batchSize: examples.length },
      },
      tfjsEngine(model),
    );
    expect((await trainer.nextStep()).loss).toBeCloseTo(loss, 4);
    trainer.dispose();
    model.dispose();
  });

  it('merges deltas onto it: the export keeps its A, and B is its B plus their mean, also after a restart', async () => {
    const client = await TestClient.connect(server.url);
    const { size } = client.manifest.layout;
    const deltas = [seededDelta(size, 1), seededDelta(size, 2)];
    const weights: number[] = [];
    for (const delta of deltas) {
      const volunteer = await TestClient.connect(server.url);
      const lease = await volunteer.join();
      weights.push(await volunteer.labelTokens(lease));
      await volunteer.contribute(lease, delta);
      volunteer.close();
    }
    client.close();
    const newest = async () => {
      const adapter = await exported('latest');
      const total = weights[0]! + weights[1]!;
      adapter.values.forEach((value, i) => {
        const mean = (weights[0]! * deltas[0]![i]! + weights[1]! * deltas[1]![i]!) / total;
        expect(Math.abs(value - start.values[i]! - mean)).toBeLessThan(1e-6);
      });
      return adapter;
    };
    const merged = await vi.waitFor(newest, { timeout: 20_000, interval: 100 });
    expect(merged.a).toEqual(start.a);
    expect(merged.spec).toEqual(start.spec);
    await restart();
    expect(await exported('latest')).toEqual(merged);
  });

  it('scores a contribution alone as the start plus its delta', async () => {
    const client = await TestClient.connect(server.url);
    await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 3));
    client.close();
    const { versions, contributions } = await evaluatedVersions(2);
    expect(contributions[0]!.alone!.loss).toBeCloseTo(versions[1]!.evaluation!.loss, 5);
    expect(Math.abs(versions[1]!.evaluation!.loss - versions[0]!.evaluation!.loss)).toBeGreaterThan(1e-4);
  });
});

describe('a start that cannot be used', () => {
  it.each<[string, () => void, RegExp]>([
    [
      'a field that is not computed here',
      () => {
        const path = join(adapterFolder(), 'adapter_config.json');
        writeFileSync(path, JSON.stringify({ ...(json(path) as object), use_dora: true }));
      },
      /campaign\.json.*adapter_config\.json: use_dora/,
    ],
    ['a cut file', () => cut(join(adapterFolder(), 'adapter_model.safetensors')), /campaign\.json.*safetensors file/],
    [
      'no folder',
      () => writeFileSync(campaign.file, readFileSync(campaign.file, 'utf8').replace('"adapter"}', '"elsewhere"}')),
      /campaign\.json.*there is no .*elsewhere/,
    ],
    [
      'a misspelt choice',
      () => writeFileSync(campaign.file, readFileSync(campaign.file, 'utf8').replace('"start"', '"strat"')),
      /neither \{ "start".*rank/s,
    ],
  ])('%s: says so and serves nothing', async (_, spoil, problem) => {
    spoil();
    await expect(restart()).rejects.toThrow(problem);
  });
});

function cut(path: string): void {
  writeFileSync(path, readFileSync(path).subarray(0, 5000));
}
