/** GET from a oneround server, with its own words when it refuses. */

/** @throws Error with one sentence: no server there, or what it answered */
export async function download(url: string): Promise<Response> {
  const response = await fetch(url).catch((error: unknown) => {
    throw new Error(`no server answers at ${new URL(url).origin}; start one with \`oneround start\``, { cause: error });
  });
  if (response.ok) return response;
  const { error } = (await response.json()) as { error?: { message?: string } };
  throw new Error(error?.message ?? `the server answered ${response.status}`);
}
