/** GET from a oneround server, with its own words when it refuses. */
import { type FileRef, sha256Hex } from '@oneround/fl-core';
import type { Response } from 'undici';
import { patientFetch } from './patient-fetch.ts';

/** No server answers, or one that is starting or stopping: the same request may succeed later. */
export class ServerAway extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ServerAway';
  }
}

/** @throws ServerAway, or Error with what the server answered; one sentence each */
export async function download(url: string): Promise<Response> {
  const { origin } = new URL(url);
  const response = await patientFetch(url).catch((cause: unknown) => {
    throw new ServerAway(`no server answers at ${origin}; start one with \`oneround serve\``, { cause });
  });
  if (response.ok) return response;
  if (response.status === 503) throw new ServerAway(`the server at ${origin} is starting or stopping; try again`);
  const { error } = (await response.json()) as { error?: { message?: string } };
  throw new Error(error?.message ?? `the server answered ${response.status}`);
}

/** A file of a manifest, checked. @throws Error as `download`, or when it is not what its name says */
export async function downloadFile(serverUrl: string, { path, sha256 }: FileRef): Promise<Uint8Array> {
  const response = await download(`${serverUrl}/v1/files/${sha256}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if ((await sha256Hex(bytes)) !== sha256) throw new Error(`${path} arrived damaged; try again`);
  return bytes;
}
