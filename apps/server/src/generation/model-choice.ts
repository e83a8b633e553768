/** The base model to generate with: a folder on this disk, or what a campaign's server gives to volunteers. */
import { type FileRef, type Manifest, manifestSchema } from '@oneround/fl-core';
import { type ModelConfig, parseModelConfig } from '@oneround/lora/architecture';
import { bytesOf } from '@oneround/lora/checkpoint';
import { loadCausalLm, loadWeight } from '@oneround/lora/loading';
import { readAcross, readShards } from '@oneround/lora/packing';
import { loadTokenizer, type TextTokenizer } from '@oneround/lora/tokenizer';
import { CausalLm, selectBackend } from '@oneround/lora/evaluation';
import { download, downloadFile } from '../client/index.ts';
import {
  isPackedFolder,
  openCheckpoint,
  readJson,
  readPackedManifest,
  readShard,
  readTokenizerConfig,
} from '../model/index.ts';

export type ModelChoice = { folder: string } | { serverUrl: string; campaignId: string };

/** A model with what belongs to it. */
export interface LoadedModel {
  model: CausalLm;
  tokenizer: TextTokenizer;
  /** The campaign that it was fetched for. */
  manifest: Manifest | null;
}

/** Loads onto the WASM backend. @throws Error, ModelError, CheckpointError or TokenizerError naming what is at fault */
export async function loadModel(choice: ModelChoice): Promise<LoadedModel> {
  await selectBackend('wasm');
  return 'folder' in choice ? loadFolder(choice.folder) : loadServed(choice.serverUrl, choice.campaignId);
}

async function loadFolder(folder: string): Promise<LoadedModel> {
  const tokenizerJson = readJson(folder, 'tokenizer.json');
  const tokenizerConfig: unknown = JSON.parse(new TextDecoder().decode(readTokenizerConfig(folder)));
  const tokenizer = loadTokenizer(tokenizerJson, tokenizerConfig);
  const model = await (isPackedFolder(folder) ? loadPacked(folder) : loadCheckpoint(folder));
  return { model, tokenizer, manifest: null };
}

async function loadCheckpoint(folder: string): Promise<CausalLm> {
  const { config, tensors, close } = await openCheckpoint(folder);
  try {
    return await CausalLm.loadFrom(config, (name) => {
      const { dtype, shape, read } = tensors.get(name)!;
      return loadWeight(read, {
        name,
        dtype,
        shape: [...shape],
        data: { offset: 0, bytes: bytesOf(dtype, shape) },
        scales: null,
      });
    });
  } finally {
    await close();
  }
}

async function loadPacked(folder: string): Promise<CausalLm> {
  const { weights, bytes } = await readPackedManifest(folder);
  const config = parseModelConfig(readJson(folder, 'config.json'));
  const read = readShards(weights, (shard) => readShard(folder, shard));
  return loadCausalLm(config, read, bytes);
}

async function loadServed(serverUrl: string, campaignId: string): Promise<LoadedModel> {
  const url = `${serverUrl}/v1/campaigns/${encodeURIComponent(campaignId)}`;
  const manifest = manifestSchema.parse(await (await download(url)).json());
  const { config, tokenizer, tokenizerConfig, weights } = manifest.model;
  const json = async (file: FileRef): Promise<unknown> =>
    JSON.parse(new TextDecoder().decode(await downloadFile(serverUrl, file)));
  const parts = await Promise.all(weights.map((file) => downloadFile(serverUrl, file)));
  return {
    model: await loadParts(parseModelConfig(await json(config)), parts),
    tokenizer: loadTokenizer(await json(tokenizer), await json(tokenizerConfig)),
    manifest,
  };
}

/** A weights file that lies in memory, cut. */
function loadParts(config: ModelConfig, parts: readonly Uint8Array[]): Promise<CausalLm> {
  const sizes = parts.map((part) => part.byteLength);
  const read = readAcross(sizes, async (index, offset, length) => parts[index]!.subarray(offset, offset + length));
  return loadCausalLm(
    config,
    read,
    sizes.reduce((sum, size) => sum + size, 0),
  );
}
