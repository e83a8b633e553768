/** What a campaign's adapter starts from: nothing but a seed, or a PEFT folder whose tensors become a published file. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { adapterSpecSchema, type AdapterSpec, type CampaignConfig } from '@oneround/fl-core';
import { type AdapterTensors, importPeft, readPeftTensors } from '@oneround/lora/adapter';
import type { ModelConfig } from '@oneround/lora/architecture';
import { hashBytes } from '../ledger/blobs.ts';

/** An adapter as a manifest says it, and the tensors that it starts from, which are to be stored; null for none. */
interface LoadedAdapter {
  adapter: AdapterSpec;
  tensors: Uint8Array | null;
}

/**
 * The adapter of a manifest, from that of a campaign file; a PEFT folder is checked whole.
 * @param folder where the paths of the campaign file begin
 * @throws CheckpointError naming the field or tensor that does not fit; Error when the folder lacks a file
 */
export function loadAdapter(choice: CampaignConfig['adapter'], model: ModelConfig, folder: string): LoadedAdapter {
  if (!('start' in choice)) return { adapter: choice, tensors: null };
  const read = (name: string): Buffer => {
    const path = join(resolve(folder, choice.start), name);
    if (!existsSync(path)) throw new Error(`adapter.start: there is no ${path}; name a PEFT folder`);
    return readFileSync(path);
  };
  const tensors = read('adapter_model.safetensors');
  const { spec } = importPeft(model, JSON.parse(read('adapter_config.json').toString('utf8')), tensors);
  const start = { path: 'adapter/start.safetensors', bytes: tensors.byteLength, sha256: hashBytes(tensors) };
  return { adapter: adapterSpecSchema.parse({ ...spec, start }), tensors };
}

/** The tensors of the adapter that a campaign starts from, or null when it starts from the base model. */
export async function startingTensors(
  adapter: AdapterSpec,
  model: ModelConfig,
  readBlob: (sha256: string) => Promise<Uint8Array>,
): Promise<AdapterTensors | null> {
  return 'start' in adapter ? readPeftTensors(model, adapter, await readBlob(adapter.start.sha256)) : null;
}
