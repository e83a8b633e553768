/** Writes a PEFT folder. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FetchedVersion, fetchVersion } from '../client/index.ts';

/** Downloads a version's two files from a server into `folder`. */
export async function exportFromServer(
  serverUrl: string,
  campaignId: string,
  folder: string,
  version: number | 'latest' = 'latest',
): Promise<FetchedVersion> {
  const exported = await fetchVersion(serverUrl.replace(/\/$/, ''), campaignId, version);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'adapter_model.safetensors'), exported.adapterModel);
  await writeFile(join(folder, 'adapter_config.json'), exported.adapterConfig);
  return exported;
}
