/**
 * From an organiser's `campaign.json` to what the server runs: the public manifest, the data shards, the held-out set.
 * Everything a client may fetch becomes a content-addressed blob; the held-out set becomes one that is never listed.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import {
  campaignConfigSchema,
  campaignRule,
  chosenRule,
  encodedDeltaBytes,
  encodeRecords,
  EXACT_GRID,
  fileRefSchema,
  manifestSchema,
  modelFiles,
  partitionRecords,
  PROTOCOL_VERSION,
  sayMissing,
  weightScaleFor,
  type CampaignConfig,
  type CampaignTerms,
  type DataRecord,
  type FileRef,
} from '@oneround/fl-core';
import { loraLayout, publishedFactors } from '@oneround/lora/adapter';
import { parseDataSet, type DataSet } from '@oneround/lora/data-set';
import { encodeExamples, type EncodedExamples } from '@oneround/lora/tokenizer';
import * as z from 'zod';
import { hashBytes, type BlobStore } from '../ledger/blobs.ts';
import { CampaignFileError, checked, checkedLater, namedPath } from './campaign-file-error.ts';
import { reportOf, type DataSetReport } from './data-set-report.ts';
import { loadModelFiles } from './model-files.ts';
import { loadAdapter } from './starting-adapter.ts';

export const CHUNK_BYTES = 64 * 1024;
const WINDOW = 4;
const modelAdvice = '; `oneround model add` makes a folder of a model on the hub, and says what to write here';
/** Volunteers' own data may weigh up to this many times the campaign's shards before the exact fold is full. */
const OWN_DATA_ROOM = 16;
/** Of a contribution of middling weight: a hundredth of what the values of useful updates are. */
const MOST_ROUNDING = 2 ** -14;

/** A data shard with the server's own count of its label tokens: what a contribution's weight must equal. */
const shardSchema = fileRefSchema.extend({
  index: z.int().nonnegative(),
  examples: z.int().positive(),
  labelTokens: z.int().positive(),
});
export type DataShard = z.infer<typeof shardSchema>;

/** A campaign as stored in the ledger. */
export const campaignDefinitionSchema = z.strictObject({
  manifest: manifestSchema,
  shards: z.array(shardSchema),
  /** Blob of the held-out records (JSON Lines); not served. */
  heldOutSha256: z.string(),
  /** Size of all base-model weights: what a client would upload without LoRA. */
  weightsBytes: z.int().positive(),
});
export type CampaignDefinition = z.infer<typeof campaignDefinitionSchema>;

/** What a campaign file came to. */
export interface LoadedCampaign {
  path: string;
  definition: CampaignDefinition;
  /** Who may take part. */
  terms: CampaignTerms;
  /** How its training and held-out data were read. */
  dataSets: DataSetReport[];
}

/**
 * Reads and checks a campaign file with its model and data, and stores their blobs.
 * @throws CampaignFileError naming the file at fault
 */
export async function loadCampaign(path: string, blobs: BlobStore): Promise<LoadedCampaign> {
  const config = checked(path, () => parseConfig(readFileSync(path, 'utf8')));
  const model = await loadModelFiles(namedPath(path, 'model', config.model, modelAdvice), blobs);
  const { adapter, tensors } = checked(path, () => loadAdapter(config.adapter, model.config, dirname(path)));
  if (tensors) await blobs.put(tensors);
  const layout = await checkedLater(path, () => loraLayout(model.config, adapter));
  const trainSet = readDataSet(namedPath(path, 'data.train', config.data.train));
  const heldOutSet = readDataSet(namedPath(path, 'data.heldOut', config.data.heldOut));
  const { records: train } = trainSet;
  const { records: heldOut } = heldOutSet;
  const encode = (records: readonly DataRecord[]) =>
    encodeExamples(model.tokenizer, records, config.data.template, config.training.maxTokens);
  const encodedShards: EncodedExamples[] = [];
  const shards = await makeShards(train, config, blobs, (records) => {
    const encoded = checked(config.data.train, () => encode(records));
    encodedShards.push(encoded);
    return encoded.labelTokens;
  });
  const encodedHeldOut = checked(config.data.heldOut, () => encode(heldOut));
  if (encodedHeldOut.labelTokens === 0) {
    throw new CampaignFileError(config.data.heldOut, 'no record fits into training.maxTokens');
  }
  const { rounds, terms, data } = config;
  const stall = whyRoundsNeverEnd(rounds, data.shards, terms.clientsPerShard);
  if (stall !== null) throw new CampaignFileError(path, stall);
  const rule = checked(path, () => chosenRule(config));
  const merge = { ...config.merge, ...(rule && { rule }) };
  const { largestValue } = checked(path, () =>
    campaignRule({ adapter, layout, merge }, () => publishedFactors(model.config, adapter)),
  );
  const totalTokens = shards.reduce((sum, shard) => sum + shard.labelTokens, 0);
  const { maxNorm } = config.upload;
  // With the largest value in it, no sum of accepted terms can leave the range of exact sums.
  const weightScale = weightScaleFor(totalTokens * OWN_DATA_ROOM * Math.max(1, largestValue(maxNorm)));
  const weight = weightScale * (merge.weights.by === 'equal' ? 1 : totalTokens / shards.length);
  if (EXACT_GRID / 2 / weight > MOST_ROUNDING) {
    throw new CampaignFileError(
      path,
      `upload.maxNorm: exact sums with room for deltas as long as ${maxNorm} round useful ones away; take a smaller one`,
    );
  }
  const manifest = manifestSchema.parse({
    protocol: PROTOCOL_VERSION,
    id: config.id,
    name: config.name,
    description: config.description,
    model: model.manifest,
    adapter,
    layout,
    training: config.training,
    ...(config.rounds && { rounds: config.rounds }),
    data: {
      template: config.data.template,
      partition: config.data.partition,
      shards: shards.length,
      domains: [...new Set(train.map(({ domain }) => domain))].toSorted(),
      meanShardBytes: Math.round(shards.reduce((sum, shard) => sum + shard.bytes, 0) / shards.length),
      meanShardExamples: Math.round(train.length / shards.length),
      heldOutExamples: heldOut.length,
    },
    upload: {
      ...config.upload,
      bytes: encodedDeltaBytes(layout.size, config.upload.codec),
      chunkBytes: CHUNK_BYTES,
      window: WINDOW,
    },
    lease: config.lease,
    merge,
    weightScale,
  });
  const definition = {
    manifest,
    shards,
    heldOutSha256: await blobs.put(encodeRecords(heldOut)),
    weightsBytes: model.manifest.weights.reduce((sum, file) => sum + file.bytes, 0),
  };
  const dataSets = [
    reportOf(config.data.train, trainSet, encodedShards),
    reportOf(config.data.heldOut, heldOutSet, [encodedHeldOut]),
  ];
  return { path, definition, terms, dataSets };
}

/** SHA-256 of all that decides a campaign's arithmetic; its name and description may be reworded. */
export function definitionHash({ manifest, shards, heldOutSha256 }: CampaignDefinition): string {
  const { name: _name, description: _description, ...arithmetic } = manifest;
  return hashBytes(new TextEncoder().encode(JSON.stringify([arithmetic, shards, heldOutSha256])));
}

/** Everything `/v1/files` may serve for this campaign. */
export function servedFiles({ manifest, shards }: CampaignDefinition): FileRef[] {
  return [...modelFiles(manifest), ...shards.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 }))];
}

/** Hashes of all blobs that a campaign names. */
export function namedBlobs(definition: CampaignDefinition): string[] {
  return [...servedFiles(definition).map(({ sha256 }) => sha256), definition.heldOutSha256];
}

/** What a campaign file says. @throws ZodError, SyntaxError, Error */
export function parseConfig(text: string): CampaignConfig {
  const written = JSON.parse(text) as { merge?: Partial<CampaignConfig['merge']> };
  const config = campaignConfigSchema.parse(written, { error: sayMissing });
  if (!config.rounds) return config;
  if (written.merge?.screens || written.merge?.scaleSearch) {
    throw new Error('merge: a campaign of many rounds has neither screens nor a scale search; leave them out');
  }
  return { ...config, merge: { ...config.merge, screens: null, scaleSearch: false } };
}

/** Why a round would wait for ever, in words; null when it would not. A client contributes once to a round, and so many to each shard. */
export function whyRoundsNeverEnd(
  rounds: CampaignConfig['rounds'],
  shards: number,
  clientsPerShard: number,
): string | null {
  const most = shards * clientsPerShard;
  if (!rounds || rounds.contributions <= most) return null;
  return `rounds.contributions: a round of ${rounds.contributions} contributions would never end; ${shards} shards with terms.clientsPerShard ${clientsPerShard} give ${most}`;
}

function readDataSet(path: string): DataSet {
  return checked(path, () => parseDataSet(readFileSync(path), basename(path)));
}

async function makeShards(
  records: readonly DataRecord[],
  config: CampaignConfig,
  blobs: BlobStore,
  countLabelTokens: (records: readonly DataRecord[]) => number,
): Promise<DataShard[]> {
  const { shards, partition: strategy, partitionSeed: seed } = config.data;
  const parts = checked(config.data.train, () => partitionRecords(records, { shards, strategy, seed }));
  const made: DataShard[] = [];
  for (const [index, indices] of parts.entries()) {
    const members = indices.map((at) => records[at]!);
    const bytes = encodeRecords(members);
    const labelTokens = countLabelTokens(members);
    if (labelTokens === 0) {
      throw new CampaignFileError(config.data.train, `no record of shard ${index} fits into training.maxTokens`);
    }
    const path = `data/shard-${index}.jsonl`;
    const sha256 = await blobs.put(bytes);
    made.push({ path, bytes: bytes.byteLength, sha256, index, examples: members.length, labelTokens });
  }
  return made;
}
