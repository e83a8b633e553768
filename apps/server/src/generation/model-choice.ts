/** The base model to generate with: a Hugging Face folder, or what a campaign's server gives to volunteers. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FileRef, type Manifest, manifestSchema, sha256Hex } from '@oneround/fl-core';
import { parseModelConfig } from '@oneround/lora/architecture';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { loadCausalLm } from '@oneround/lora/loading';
import { readAcross } from '@oneround/lora/packing';
import { loadTokenizer, type TextTokenizer } from '@oneround/lora/tokenizer';
import { CausalLm, selectBackend } from '@oneround/lora/training';
import * as z from 'zod';
import { download } from '../cli/download.ts';

export type ModelChoice = { folder: string } | { serverUrl: string; campaignId: string };

/** A model with what belongs to it. */
export interface LoadedModel {
  model: CausalLm;
  tokenizer: TextTokenizer;
  /** The campaign that it was fetched for. */
  manifest: Manifest | null;
}

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

/** Loads onto the WASM backend. @throws Error, CheckpointError or TokenizerError naming the file at fault */
export async function loadModel(choice: ModelChoice): Promise<LoadedModel> {
  await selectBackend('wasm');
  return 'folder' in choice ? loadFolder(choice.folder) : loadServed(choice.serverUrl, choice.campaignId);
}

function loadFolder(folder: string): LoadedModel {
  const read = (name: string) => {
    const path = join(folder, name);
    if (!existsSync(path)) throw new Error(`${path} is missing; --model takes a Hugging Face model folder`);
    return readFileSync(path);
  };
  const json = (name: string): unknown => JSON.parse(read(name).toString('utf8'));
  const index = 'model.safetensors.index.json';
  const files = existsSync(join(folder, index))
    ? [...new Set(Object.values(indexSchema.parse(json(index)).weight_map))]
    : ['model.safetensors'];
  const tensors = new Map(files.flatMap((file) => [...readSafetensors(read(file))]));
  return {
    model: CausalLm.load(parseModelConfig(json('config.json')), tensors),
    tokenizer: loadTokenizer(json('tokenizer.json'), json('tokenizer_config.json')),
    manifest: null,
  };
}

async function loadServed(serverUrl: string, campaignId: string): Promise<LoadedModel> {
  const url = `${serverUrl}/v1/campaigns/${encodeURIComponent(campaignId)}`;
  const manifest = manifestSchema.parse(await (await download(url)).json());
  const { config, tokenizer, tokenizerConfig, weights } = manifest.model;
  const file = (ref: FileRef) => servedFile(serverUrl, ref);
  const json = async (ref: FileRef): Promise<unknown> => JSON.parse((await file(ref)).toString('utf8'));
  const parts = await Promise.all(weights.map(file));
  const sizes = parts.map((part) => part.byteLength);
  const read = readAcross(sizes, async (index, offset, length) => parts[index]!.subarray(offset, offset + length));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return {
    model: await loadCausalLm(parseModelConfig(await json(config)), read, bytes),
    tokenizer: loadTokenizer(await json(tokenizer), await json(tokenizerConfig)),
    manifest,
  };
}

async function servedFile(serverUrl: string, { path, sha256 }: FileRef): Promise<Buffer> {
  const bytes = Buffer.from(await (await download(`${serverUrl}/v1/files/${sha256}`)).arrayBuffer());
  if ((await sha256Hex(bytes)) !== sha256) throw new Error(`${path} arrived damaged; try again`);
  return bytes;
}
