/** GET from a oneround server, with its own words when it refuses. */
import { type FileRef, sha256Hex } from '@oneround/fl-core';

/** @throws Error with one sentence: no server there, or what it answered */
export async function download(url: string): Promise<Response> {
  const response = await fetch(url).catch((error: unknown) => {
    throw new Error(`no server answers at ${new URL(url).origin}; start one with \`oneround start\``, { cause: error });
  });
  if (response.ok) return response;
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
