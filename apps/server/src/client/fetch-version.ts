/** A version of the global adapter from a server, as the two files of a PEFT folder. */
import { download } from './download.ts';

export interface FetchedVersion {
  version: number;
  adapterConfig: Uint8Array;
  adapterModel: Uint8Array;
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
  const second = await download(`${base}/${exported}/adapter_config.json`);
  return {
    version: exported,
    adapterConfig: new Uint8Array(await second.arrayBuffer()),
    adapterModel: new Uint8Array(await first.arrayBuffer()),
  };
}
