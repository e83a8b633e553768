/** What the command line fetches from a running server. */
import type { PeftFiles } from '@oneround/lora/adapter';

/** A campaign on a server. */
export interface CampaignAddress {
  /** The server's base URL. */
  server: string;
  campaignId: string;
}

/** `GET /v1/campaigns/:id`. */
export function campaignUrl({ server, campaignId }: CampaignAddress): string {
  return `${server.replace(/\/$/, '')}/v1/campaigns/${encodeURIComponent(campaignId)}`;
}

/** The PEFT folder of a version. @throws Error as `download` */
export async function downloadVersion(
  address: CampaignAddress,
  wanted: number | 'latest',
): Promise<PeftFiles & { version: number }> {
  const base = `${campaignUrl(address)}/versions`;
  const model = await download(`${base}/${wanted}/adapter_model.safetensors`);
  // Both files of the same version, also while new ones arrive.
  const version = Number(model.headers.get('x-oneround-version'));
  const config = await download(`${base}/${version}/adapter_config.json`);
  const [adapterModel, adapterConfig] = await Promise.all([model.arrayBuffer(), config.arrayBuffer()]);
  return { version, adapterModel: new Uint8Array(adapterModel), adapterConfig: new Uint8Array(adapterConfig) };
}

/** @throws Error in a sentence: no server, or what the server answered */
export async function download(url: string): Promise<Response> {
  const response = await fetch(url).catch((error: unknown) => {
    throw new Error(`no server answers at ${new URL(url).origin}; start one with \`oneround start\``, { cause: error });
  });
  if (response.ok) return response;
  const { error } = (await response.json()) as { error?: { message?: string } };
  throw new Error(error?.message ?? `the server answered ${response.status}`);
}
