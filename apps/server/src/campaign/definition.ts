/**
 * From an organiser's `campaign.json` to what the server runs: the public manifest, the data shards, the held-out set.
 * Everything a client may fetch becomes a content-addressed blob; the held-out set becomes one that is never listed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import {
  campaignConfigSchema,
  encodedDeltaBytes,
  encodeRecords,
  fileRefSchema,
  manifestSchema,
  partitionRecords,
  PROTOCOL_VERSION,
  weightScaleFor,
  type CampaignConfig,
  type DataRecord,
  type FileRef,
} from '@oneround/fl-core';
import { loraLayout } from '@oneround/lora/adapter';
import { checkTensors, parameterCount, parseModelConfig } from '@oneround/lora/architecture';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { parseDataSet, type DataSet } from '@oneround/lora/data-set';
import { encodeExamples, loadTokenizer, withChatTemplate, type EncodedExamples } from '@oneround/lora/tokenizer';
import * as z from 'zod';
import { hashBytes, type BlobStore } from '../ledger/blob-store.ts';
import { reportOf, type DataSetReport } from './data-set-report.ts';

/** Base-model weights are cut into consecutive files of this size. */
const MODEL_SHARD_BYTES = 4 * 2 ** 20;
export const CHUNK_BYTES = 64 * 1024;
const WINDOW = 4;
/** Volunteers' own data may weigh up to this many times the campaign's shards before the exact fold is full. */
const OWN_DATA_ROOM = 16;

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

/** A campaign file that cannot be served, in one sentence. */
export class CampaignFileError extends Error {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.name = 'CampaignFileError';
  }
}

/**
 * Reads and checks a campaign file with its model and data, and stores their blobs.
 * @returns the campaign, and how its training and held-out data were read
 * @throws CampaignFileError naming the file at fault
 */
export async function loadCampaign(
  path: string,
  blobs: BlobStore,
): Promise<{ definition: CampaignDefinition; dataSets: DataSetReport[] }> {
  const config = checked(path, () => campaignConfigSchema.parse(JSON.parse(readFileSync(path, 'utf8'))));
  const folder = dirname(path);
  const model = loadModelFiles(resolve(folder, config.model), blobs);
  const layout = await checked(path, () => loraLayout(model.config, config.adapter));
  const trainSet = readDataSet(resolve(folder, config.data.train));
  const heldOutSet = readDataSet(resolve(folder, config.data.heldOut));
  const { records: train } = trainSet;
  const { records: heldOut } = heldOutSet;
  const encode = (records: readonly DataRecord[]) =>
    encodeExamples(model.tokenizer, records, config.data.template, config.training.maxTokens);
  const encodedShards: EncodedExamples[] = [];
  const shards = makeShards(train, config, blobs, (records) => {
    const encoded = checked(config.data.train, () => encode(records));
    encodedShards.push(encoded);
    return encoded.labelTokens;
  });
  const encodedHeldOut = checked(config.data.heldOut, () => encode(heldOut));
  if (encodedHeldOut.labelTokens === 0) {
    throw new CampaignFileError(config.data.heldOut, 'no record fits into training.maxTokens');
  }
  const totalTokens = shards.reduce((sum, shard) => sum + shard.labelTokens, 0);
  const manifest = manifestSchema.parse({
    protocol: PROTOCOL_VERSION,
    id: config.id,
    name: config.name,
    description: config.description,
    model: model.manifest,
    adapter: config.adapter,
    layout,
    training: config.training,
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
    // With the norm in it, no sum of accepted deltas can leave the range of exact sums.
    weightScale: weightScaleFor(totalTokens * OWN_DATA_ROOM * Math.max(1, config.upload.maxNorm)),
  });
  const definition = {
    manifest,
    shards,
    heldOutSha256: blobs.put(encodeRecords(heldOut)),
    weightsBytes: model.manifest.weights.reduce((sum, file) => sum + file.bytes, 0),
  };
  const dataSets = [
    reportOf(config.data.train, trainSet, encodedShards),
    reportOf(config.data.heldOut, heldOutSet, [encodedHeldOut]),
  ];
  return { definition, dataSets };
}

/** SHA-256 of all that decides a campaign's arithmetic; its name and description may be reworded. */
export function definitionHash({ manifest, shards, heldOutSha256 }: CampaignDefinition): string {
  const { name: _name, description: _description, ...arithmetic } = manifest;
  return hashBytes(new TextEncoder().encode(JSON.stringify([arithmetic, shards, heldOutSha256])));
}

/** Everything `/v1/files` may serve for this campaign. */
export function servedFiles({ manifest, shards }: CampaignDefinition): FileRef[] {
  const { config, tokenizer, tokenizerConfig, weights } = manifest.model;
  return [
    config,
    tokenizer,
    tokenizerConfig,
    ...weights,
    ...shards.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
  ];
}

function loadModelFiles(folder: string, blobs: BlobStore) {
  const read = (name: string) => checked(resolve(folder, name), () => readFileSync(resolve(folder, name)));
  const store = (name: string, bytes: Uint8Array): FileRef => ({
    path: `model/${name}`,
    bytes: bytes.byteLength,
    sha256: blobs.put(bytes),
  });
  const json = (name: string): unknown => checked(resolve(folder, name), () => JSON.parse(read(name).toString('utf8')));
  const weights = read('model.safetensors');
  const config = checked(folder, () => parseModelConfig(json('config.json')));
  checked(folder, () => checkTensors(config, readSafetensors(weights)));
  const tokenizerConfig = tokenizerConfigOf(folder);
  const files = {
    config: store('config.json', read('config.json')),
    tokenizer: store('tokenizer.json', read('tokenizer.json')),
    tokenizerConfig: store('tokenizer_config.json', tokenizerConfig),
    weights: cut(weights).map((part, index) => store(`model.safetensors.${index}`, part)),
  };
  const { weights: parts, ...single } = files;
  const bytes = [...parts, ...Object.values(single)].reduce((sum, file) => sum + file.bytes, 0);
  return {
    config,
    tokenizer: checked(folder, () =>
      loadTokenizer(json('tokenizer.json'), JSON.parse(Buffer.from(tokenizerConfig).toString('utf8'))),
    ),
    manifest: { name: basename(folder), parameters: parameterCount(config), ...files, bytes },
  };
}

function cut(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < bytes.byteLength; start += MODEL_SHARD_BYTES) {
    parts.push(bytes.subarray(start, start + MODEL_SHARD_BYTES));
  }
  return parts;
}

/** The bytes of `tokenizer_config.json`, with the chat template in it where that is a file of its own. */
function tokenizerConfigOf(folder: string): Uint8Array {
  const [config, template] = ['tokenizer_config.json', 'chat_template.jinja'].map((name) => resolve(folder, name));
  const bytes = checked(config!, () => readFileSync(config!));
  if (!existsSync(template!)) return bytes;
  const merged = checked(config!, () =>
    withChatTemplate(JSON.parse(bytes.toString('utf8')), readFileSync(template!, 'utf8')),
  );
  return new TextEncoder().encode(JSON.stringify(merged));
}

function readDataSet(path: string): DataSet {
  return checked(path, () => parseDataSet(readFileSync(path), basename(path)));
}

function makeShards(
  records: readonly DataRecord[],
  config: CampaignConfig,
  blobs: BlobStore,
  countLabelTokens: (records: readonly DataRecord[]) => number,
): DataShard[] {
  const { shards, partition: strategy, partitionSeed: seed } = config.data;
  const parts = checked(config.data.train, () => partitionRecords(records, { shards, strategy, seed }));
  return parts.map((indices, index) => {
    const members = indices.map((at) => records[at]!);
    const bytes = encodeRecords(members);
    const labelTokens = countLabelTokens(members);
    if (labelTokens === 0) {
      throw new CampaignFileError(config.data.train, `no record of shard ${index} fits into training.maxTokens`);
    }
    const path = `data/shard-${index}.jsonl`;
    return { path, bytes: bytes.byteLength, sha256: blobs.put(bytes), index, examples: members.length, labelTokens };
  });
}

function checked<Value>(path: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof CampaignFileError) throw error;
    throw new CampaignFileError(path, problemOf(error));
  }
}

function problemOf(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof Error ? error.message : String(error);
}
