/** Writes a PEFT folder. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Downloads a version's two files from a server into `folder`, and returns the version number. */
export async function exportFromServer(
  serverUrl: string,
  campaignId: string,
  folder: string,
  version: number | 'latest' = 'latest',
): Promise<number> {
  const base = `${serverUrl.replace(/\/$/, '')}/v1/campaigns/${encodeURIComponent(campaignId)}/versions`;
  const first = await download(`${base}/${version}/adapter_model.safetensors`);
  // Both files of the same version, also while new ones arrive.
  const exported = Number(first.headers.get('x-oneround-version'));
  const second = await download(`${base}/${exported}/adapter_config.json`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'adapter_model.safetensors'), new Uint8Array(await first.arrayBuffer()));
  await writeFile(join(folder, 'adapter_config.json'), new Uint8Array(await second.arrayBuffer()));
  return exported;
}

async function download(url: string): Promise<Response> {
  const response = await fetch(url).catch((error: unknown) => {
    throw new Error(`no server answers at ${new URL(url).origin}; start one with \`oneround start\``, { cause: error });
  });
  if (response.ok) return response;
  const { error } = (await response.json()) as { error?: { message?: string } };
  throw new Error(error?.message ?? `the server answered ${response.status}`);
}
