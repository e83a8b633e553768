/** The adapter to generate with: none, a version of a campaign's, or a PEFT folder. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelConfig } from '@oneround/lora/architecture';
import { peftAdapter } from '@oneround/lora/generation';
import type { AdapterValues } from '@oneround/lora/evaluation';
import { fetchVersion } from '../client/index.ts';

export type AdapterChoice =
  'base' | { folder: string } | { serverUrl: string; campaignId: string; version: number | 'latest' };

/** @throws Error or CheckpointError naming what cannot be used */
export async function loadAdapter(
  config: ModelConfig,
  choice: AdapterChoice,
): Promise<{ adapter: AdapterValues | null; name: string }> {
  if (choice === 'base') return { adapter: null, name: 'base model' };
  if ('folder' in choice) {
    const read = (name: string) => readFileSync(join(choice.folder, name));
    return {
      adapter: await importedAdapter(config, read('adapter_config.json'), read('adapter_model.safetensors')),
      name: choice.folder,
    };
  }
  const { version, adapterConfig, adapterModel } = await fetchVersion(
    choice.serverUrl,
    choice.campaignId,
    choice.version,
  );
  return { adapter: await importedAdapter(config, adapterConfig, adapterModel), name: `version ${version}` };
}

function importedAdapter(config: ModelConfig, adapterConfig: Uint8Array, adapterModel: Uint8Array) {
  return peftAdapter(config, JSON.parse(new TextDecoder().decode(adapterConfig)), adapterModel);
}
