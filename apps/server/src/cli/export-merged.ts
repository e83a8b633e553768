/** Writes a version as a whole Hugging Face checkpoint: the base model that the server publishes, the adapter folded in. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileRef, manifestSchema } from '@oneround/fl-core';
import { importPeft, mergedCheckpoint } from '@oneround/lora/adapter';
import { parseModelConfig } from '@oneround/lora/architecture';
import { readShards } from '@oneround/lora/packing';
import { download, downloadFile, type FetchedVersion, fetchVersion } from '../client/index.ts';

/**
 * Downloads base model and adapter and writes `config.json`, the tokeniser and `model.safetensors` into `folder`. One
 * tensor is in memory at a time.
 * @param onProgress how much of the base model has been fetched, once; its tensors are written as they come
 * @returns the version, and the name of the base model
 * @throws Error when a file is not what the manifest says; CheckpointError when base and adapter cannot be merged
 */
export async function exportMerged(
  serverUrl: string,
  campaignId: string,
  folder: string,
  wanted: number | 'latest' = 'latest',
  onProgress: (bytes: number, total: number) => void = () => undefined,
): Promise<Pick<FetchedVersion, 'version' | 'discardedEnergy'> & { base: string }> {
  const server = serverUrl.replace(/\/$/, '');
  const manifest = await download(`${server}/v1/campaigns/${encodeURIComponent(campaignId)}`);
  const { model } = manifestSchema.parse(await manifest.json());
  const { version, adapterConfig, adapterModel, discardedEnergy } = await fetchVersion(server, campaignId, wanted);
  const file = (ref: FileRef) => downloadFile(server, ref);
  const configJson = await file(model.config);
  const config = parseModelConfig(parseJson(configJson));
  const adapter = importPeft(config, parseJson(adapterConfig), adapterModel);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), configJson);
  await writeFile(join(folder, 'tokenizer.json'), await file(model.tokenizer));
  await writeFile(join(folder, 'tokenizer_config.json'), await file(model.tokenizerConfig));
  const bytes = sumOf(model.weights);
  const weights = join(folder, 'model.safetensors');
  const fetched = new Set<FileRef>();
  const shard = async (ref: FileRef) => {
    const content = await file(ref);
    // Tensors are written by type, so a shard may be read more than once.
    fetched.add(ref);
    onProgress(sumOf([...fetched]), bytes);
    return content;
  };
  await writeFile(`${weights}.partial`, mergedCheckpoint(config, adapter, readShards(model.weights, shard), bytes));
  await rename(`${weights}.partial`, weights);
  return { version, discardedEnergy, base: model.name };
}

const sumOf = (files: readonly FileRef[]) => files.reduce((sum, { bytes }) => sum + bytes, 0);

function parseJson(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}
