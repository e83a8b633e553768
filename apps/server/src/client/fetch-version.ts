/** A version of the global adapter from a server, as the two files of a PEFT folder. */
import { DISCARDED_ENERGY } from '@oneround/lora/adapter';
import { safetensorsHeaderOf } from '@oneround/lora/checkpoint';
import { download } from './download.ts';

export interface FetchedVersion {
  version: number;
  adapterConfig: Uint8Array;
  adapterModel: Uint8Array;
  /** The share of a dense merge's squared norm that its adapter has no room for; null for another merge. */
  discardedEnergy: number | null;
}

/** Downloads a version's two files. @throws Error as `download` */
export async function fetchVersion(
  serverUrl: string,
  campaignId: string,
  version: number | 'latest',
): Promise<FetchedVersion> {
  const base = `${serverUrl}/v1/campaigns/${encodeURIComponent(campaignId)}/versions`;
  const first = await download(`${base}/${version}/adapter_model.safetensors`);
  // Both files of the same version, also while new ones arrive.
  const exported = Number(first.headers.get('x-oneround-version'));
  const adapterModel = new Uint8Array(await first.arrayBuffer());
  const discarded = safetensorsHeaderOf(adapterModel).metadata[DISCARDED_ENERGY];
  const second = await download(`${base}/${exported}/adapter_config.json`);
  return {
    version: exported,
    adapterConfig: new Uint8Array(await second.arrayBuffer()),
    adapterModel,
    discardedEnergy: discarded === undefined ? null : Number(discarded),
  };
}
