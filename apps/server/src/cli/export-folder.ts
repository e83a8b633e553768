/** Writes a PEFT folder. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CampaignAddress, downloadVersion } from './download.ts';

/** Downloads a version's two files from a server into `folder`, and returns the version number. */
export async function exportFromServer(
  address: CampaignAddress,
  folder: string,
  wanted: number | 'latest' = 'latest',
): Promise<number> {
  const { version, adapterConfig, adapterModel } = await downloadVersion(address, wanted);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'adapter_model.safetensors'), adapterModel);
  await writeFile(join(folder, 'adapter_config.json'), adapterConfig);
  return version;
}
