/**
 * A Hugging Face hub on localhost for tests: the requests that @huggingface/hub makes, as huggingface.co answers them
 * (model info, tree, resolve with ranges; large files are redirected to another path, as to its CDN).
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubServer {
  url: string;
  /** Every request so far: method, path and range. */
  requests: string[];
  /** The next download of this file breaks off after so many bytes; one entry a time. */
  drops: { file: string; afterBytes: number }[];
  /** Replaces the content sent for a file; what the hub lists stays as it was. */
  sent: Map<string, Uint8Array>;
  close(): Promise<void>;
}

const COMMIT = 'c0ffee'.padEnd(40, '0');
const LARGE_FROM_BYTES = 10_000;
/** The token that may read `org/gated`. */
export const HUB_TOKEN = 'hf_may_read';

/** Serves one model as `org/model`, and again as `org/gated`; of `org/hidden` it shows nothing. Files from 10,000 bytes on are kept as LFS keeps them. `commit`: what it calls the newest. */
export async function startHubServer(files: ReadonlyMap<string, Uint8Array>, commit = COMMIT): Promise<HubServer> {
  const hub: Omit<HubServer, 'url' | 'close'> = { requests: [], drops: [], sent: new Map() };
  const entries = [...files].map(([path, content]) => {
    const entry = { type: 'file', path, size: content.byteLength, oid: gitHash(content) };
    const lfs = { oid: createHash('sha256').update(content).digest('hex'), size: content.byteLength, pointerSize: 130 };
    return content.byteLength < LARGE_FROM_BYTES ? entry : { ...entry, lfs };
  });
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = new URL(request.url!, 'http://hub').pathname;
    hub.requests.push([request.method, path, request.headers.range].filter(Boolean).join(' '));
    const [, id, file] =
      /^\/api\/models\/(org\/\w+)\/(?:revision|tree)\//.exec(path) ??
      /^\/(org\/\w+)\/resolve\/[^/]+\/(.+)$/.exec(path) ??
      [];
    const cdn = /^\/cdn\/(.+)$/.exec(path)?.[1];
    if (cdn !== undefined) return sendFile(hub, request, response, cdn, files.get(cdn)!);
    if (id === 'org/hidden') return sendJson(response, 401, { error: 'Invalid username or password.' });
    if (id !== 'org/model' && id !== 'org/gated') return sendJson(response, 404, { error: 'Repository not found' });
    const isOpen = id === 'org/model' || request.headers.authorization === `Bearer ${HUB_TOKEN}`;
    if (path.includes('/revision/')) {
      return path.endsWith('/revision/nowhere')
        ? sendJson(response, 404, { error: 'Invalid rev id: nowhere' })
        : sendJson(response, 200, { _id: '1', id, sha: commit, lastModified: '2026-01-01T00:00:00Z' });
    }
    if (path.includes('/tree/')) return sendJson(response, 200, entries);
    if (!isOpen)
      return sendJson(response, request.headers.authorization ? 403 : 401, { error: 'Access is restricted.' });
    const content = files.get(file!);
    if (!content) return sendJson(response, 404, { error: 'Entry not found' }, { 'X-Error-Code': 'EntryNotFound' });
    if (content.byteLength < LARGE_FROM_BYTES) return sendFile(hub, request, response, file!, content);
    response.writeHead(302, { Location: `/cdn/${file}`, 'X-Linked-Size': content.byteLength }).end();
  };
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    ...hub,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function sendFile(
  { drops, sent }: Pick<HubServer, 'drops' | 'sent'>,
  request: IncomingMessage,
  response: ServerResponse,
  file: string,
  listed: Uint8Array,
): void {
  const content = sent.get(file) ?? listed;
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const start = Number(from ?? 0);
  const end = Math.min(Number(to ?? content.byteLength - 1), content.byteLength - 1) + 1;
  response.writeHead(from === undefined ? 200 : 206, {
    ETag: `"${gitHash(listed)}"`,
    'Accept-Ranges': 'bytes',
    'Content-Length': end - start,
    ...(from === undefined ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${content.byteLength}` }),
  });
  const isProbe = end - start === 1;
  const drop = isProbe ? -1 : drops.findIndex((each) => each.file === file);
  if (drop < 0) {
    response.end(content.subarray(start, end));
    return;
  }
  const [{ afterBytes }] = drops.splice(drop, 1) as [HubServer['drops'][number]];
  response.write(content.subarray(start, Math.min(end, start + afterBytes)), () => {
    // Give the bytes time to arrive: a reset would throw away what is still on its way.
    setTimeout(() => response.destroy(), 50);
  });
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function gitHash(content: Uint8Array): string {
  return createHash('sha1').update(`blob ${content.byteLength}\0`).update(content).digest('hex');
}
