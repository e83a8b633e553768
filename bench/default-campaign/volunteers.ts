/** Volunteers of the default campaign: real deltas, trained with the WASM engine as a browser would. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  adapterSpecSchema,
  type AdapterLayout,
  type AdapterSpec,
  campaignConfigSchema,
  type DataRecord,
  parseRecords,
  type PartitionStrategy,
  partitionRecords,
  type TrainingSettings,
} from '@oneround/fl-core';
import { loraLayout, type LoraSpec } from '@oneround/lora/adapter';
import { parseModelConfig } from '@oneround/lora/architecture';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { type OpenEngine, wasmEngine, weightsInMemory } from '@oneround/lora/step';
import { type EncodedExample, encodeExamples, loadTokenizer } from '@oneround/lora/tokenizer';
import { LoraTrainer } from '@oneround/lora/training';
import { loadNodeKernels } from '@oneround/lora/wasm/node';

export const campaignFolder = new URL('../../campaigns/default/', import.meta.url);
export const campaign = campaignConfigSchema.parse(json('campaign.json'));
const tokenizer = loadTokenizer(
  json(`${campaign.model}/tokenizer.json`),
  json(`${campaign.model}/tokenizer_config.json`),
);

export const config = parseModelConfig(json(`${campaign.model}/config.json`));
export const tensors = readSafetensors(bytes(`${campaign.model}/model.safetensors`));
export const spec: AdapterSpec = adapterSpecSchema.parse(campaign.adapter);
export const layout: AdapterLayout = await loraLayout(config, spec);

/** The campaign's held-out examples. */
export function heldOutExamples(): EncodedExample[] {
  return encode(parseRecords(bytes(campaign.data.heldOut).toString('utf8')));
}

/** What a volunteer sends, and how much data it stands for. */
export interface Volunteer {
  delta: Float32Array;
  labelTokens: number;
}

/** How volunteers train, where it is not as the campaign says. */
export interface Recipe {
  spec?: LoraSpec;
  learningRate?: number;
}

/** A volunteer for every shard of the campaign, trained one after another. */
export async function trainHonest(strategy: PartitionStrategy, recipe: Recipe = {}): Promise<Volunteer[]> {
  const openEngine = await engine();
  const trained: Volunteer[] = [];
  for (const shard of shardsOf(strategy)) trained.push(await trainVolunteer(shard, openEngine, recipe));
  return trained;
}

/** The WASM engine on the campaign's model. */
export async function engine(): Promise<OpenEngine> {
  return wasmEngine(await loadNodeKernels(), weightsInMemory(config, tensors));
}

/** The campaign's training data, whole. */
export function trainingRecords(): DataRecord[] {
  return parseRecords(bytes(campaign.data.train).toString('utf8'));
}

/** The records of every shard. */
export function shardsOf(strategy: PartitionStrategy): DataRecord[][] {
  const records = trainingRecords();
  const { shards: count, partitionSeed: seed } = campaign.data;
  return partitionRecords(records, { shards: count, strategy, seed }).map((shard) => shard.map((i) => records[i]!));
}

/** A volunteer who trains on these records. */
export async function trainVolunteer(
  records: readonly DataRecord[],
  openEngine: OpenEngine,
  { learningRate = campaign.training.learningRate, ...recipe }: Recipe = {},
): Promise<Volunteer> {
  const examples = encode(records);
  const delta = await train(examples, openEngine, { settings: { ...campaign.training, learningRate }, ...recipe });
  const labelTokens = examples.reduce((sum, { labels }) => sum + labels.filter((label) => label >= 0).length, 0);
  return { delta, labelTokens };
}

/** Trains to the end. @returns the delta from `start`, which is zeros unless told */
export async function train(
  examples: readonly EncodedExample[],
  openEngine: OpenEngine,
  {
    spec: trained = spec,
    ...options
  }: { spec?: LoraSpec; settings: TrainingSettings; start?: Float32Array | undefined },
): Promise<Float32Array> {
  const trainer = await LoraTrainer.open(
    { config, spec: trained, layout: await loraLayout(config, trained), examples, ...options },
    openEngine,
  );
  while (trainer.step < trainer.totalSteps) await trainer.nextStep();
  const delta = await trainer.delta();
  trainer.dispose();
  return delta;
}

/** The examples of some records, as the campaign's clients train on them. */
export function encode(records: readonly DataRecord[]): EncodedExample[] {
  return encodeExamples(tokenizer, records, campaign.data.template, campaign.training.maxTokens).examples;
}

/** A file of the default campaign, or of the model it names. */
function bytes(name: string): Buffer {
  return readFileSync(fileURLToPath(new URL(name, campaignFolder)));
}

function json(name: string): unknown {
  return JSON.parse(bytes(name).toString('utf8'));
}
