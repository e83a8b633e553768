/** The server's HTTP side, parsed at the edge. */
import {
  campaignStateSchema,
  campaignStatusSchema,
  manifestSchema,
  refusalSchema,
  type CampaignState,
  type CampaignStatus,
  type Manifest,
} from '@oneround/fl-core';
import * as z from 'zod';

const summarySchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  status: campaignStatusSchema,
});
const campaignListSchema = z.union([
  z.array(summarySchema),
  z.object({ campaigns: z.array(summarySchema) }).transform(({ campaigns }) => campaigns),
]);

/** One line of the list of campaigns. */
export type CampaignSummary = z.infer<typeof summarySchema>;

/** There is no such campaign on this server. */
export class UnknownCampaign extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnknownCampaign';
  }
}

/** The server could not be reached, or answered with an error. */
export class ServerUnavailable extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ServerUnavailable';
  }
}

/** `GET /v1/campaigns`. */
export async function fetchCampaigns(signal?: AbortSignal): Promise<CampaignSummary[]> {
  return campaignListSchema.parse(await getJson('/v1/campaigns', signal));
}

/** `GET /v1/campaigns/:id`. @throws UnknownCampaign, ServerUnavailable */
export async function fetchManifest(id: string, signal?: AbortSignal): Promise<Manifest> {
  return manifestSchema.parse(await getJson(`/v1/campaigns/${encodeURIComponent(id)}`, signal));
}

/** `GET /v1/campaigns/:id/status`. @throws UnknownCampaign, ServerUnavailable */
export async function fetchStatus(id: string, signal?: AbortSignal): Promise<CampaignStatus> {
  const answer = await getJson(`/v1/campaigns/${encodeURIComponent(id)}/status`, signal);
  return z.object({ status: campaignStatusSchema }).parse(answer).status;
}

/** `GET /v1/campaigns/:id/state`. @throws UnknownCampaign, ServerUnavailable */
export async function fetchState(id: string, signal?: AbortSignal): Promise<CampaignState> {
  return campaignStateSchema.parse(await getJson(`/v1/campaigns/${encodeURIComponent(id)}/state`, signal));
}

/** One of the two files of a version's PEFT folder. */
export type VersionFile = 'adapter_config.json' | 'adapter_model.safetensors';

/** `GET /v1/campaigns/:id/versions/:version/:file`. @throws UnknownCampaign, ServerUnavailable */
export async function fetchVersionFile(
  id: string,
  version: number,
  file: VersionFile,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await get(versionFileUrl(id, version, file), { signal });
  return new Uint8Array(await response.arrayBuffer());
}

/** What the adapter takes to download: the same in every version. @throws UnknownCampaign, ServerUnavailable */
export async function fetchAdapterBytes(id: string, signal: AbortSignal): Promise<number> {
  const url = versionFileUrl(id, 'latest', 'adapter_model.safetensors');
  const { headers } = await get(url, { signal, method: 'HEAD' });
  return Number(headers.get('content-length'));
}

function versionFileUrl(id: string, version: number | 'latest', file: VersionFile): string {
  return `/v1/campaigns/${encodeURIComponent(id)}/versions/${version}/${file}`;
}

async function getJson(path: string, signal?: AbortSignal): Promise<unknown> {
  return (await get(path, signal ? { signal } : {})).json();
}

async function get(path: string, options: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new ServerUnavailable(`The server did not answer (${error instanceof Error ? error.message : error}).`);
  }
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => null);
  const refusal = refusalIn(body);
  const message = refusal?.message ?? `The server answered ${response.status}.`;
  if (response.status === 404 || refusal?.code === 'unknown_campaign') throw new UnknownCampaign(message);
  throw new ServerUnavailable(message);
}

function refusalIn(body: unknown) {
  const bare = refusalSchema.safeParse(body);
  if (bare.success) return bare.data;
  const wrapped = z.object({ error: refusalSchema }).safeParse(body);
  return wrapped.success ? wrapped.data.error : null;
}
