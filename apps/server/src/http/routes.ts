/** The HTTP side: manifests, content-addressed files, versions as PEFT files, and the page. Nothing here takes a body. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { send } from '@fastify/send';
import fastifyStatic from '@fastify/static';
import {
  Refusal,
  type RefusalCode,
  sha256HexOfText,
  sha256Schema,
  type Contribution,
  type Manifest,
} from '@oneround/fl-core';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply } from 'fastify';
import * as z from 'zod';
import type { CampaignEntry } from '../ledger/index.ts';
import { setSecurityHeaders } from './security-headers.ts';

const IMMUTABLE = 'public, max-age=31536000, immutable';

/** What the routes read. */
export interface RouteSources {
  /** All of them; the list shows those that are public and no draft. */
  campaigns: () => Promise<CampaignEntry[]>;
  manifests: () => Promise<Manifest[]>;
  servedFile: (sha256: string) => Promise<{ path: string; name: string; bytes: number } | null>;
  /** The first of a campaign's contributions behind a place in the ledger. */
  contributions: (campaignId: string, after: number) => Promise<Contribution[]>;
  /** `CampaignState`. */
  stateJson: (campaignId: string) => Promise<Uint8Array>;
  exportVersion: (
    campaignId: string,
    version?: number,
  ) => Promise<{ version: number; adapterConfig: Uint8Array; adapterModel: Uint8Array }>;
}

/** What a refusal of what is asked for here answers with, where that is not 404. */
const statuses: Partial<Record<RefusalCode, number>> = { unavailable: 503, rate_limited: 429 };

const pageQuery = z.object({ after: z.coerce.number().int().nonnegative().default(0) });

const versionParams = z.object({
  id: z.string(),
  version: z.union([z.literal('latest'), z.string().regex(/^\d{1,9}$/)]),
  file: z.enum(['adapter_config.json', 'adapter_model.safetensors']),
});

/** An HTTP server that is not listening yet. `webRoot` is the built page; without it only the API answers. */
export async function makeHttpServer(
  sources: RouteSources,
  options: { webRoot?: string | undefined; logger: FastifyBaseLogger },
): Promise<FastifyInstance> {
  // Fastify's own lines about a request hold the address it came from.
  const logController = new LogController({ disableRequestLogging: true });
  const app = Fastify({ loggerInstance: options.logger, logController, bodyLimit: 1024 });
  app.addHook('onRequest', (request, reply) => setSecurityHeaders(request.url.split('?')[0]!, request.raw, reply.raw));
  app.setErrorHandler((error, _request, reply) => answerError(error, reply, options.logger));

  app.get('/v1/campaigns', async () => {
    const listed = (await sources.campaigns()).filter((campaign) => !campaign.private && campaign.status !== 'draft');
    return { campaigns: listed.map(({ id, name, description, status }) => ({ id, name, description, status })) };
  });
  app.get<{ Params: { id: string } }>('/v1/campaigns/:id/status', async ({ params }, reply) => {
    const campaign = (await sources.campaigns()).find(({ id }) => id === params.id);
    if (!campaign) throw unknownCampaign(params.id);
    reply.header('cache-control', 'no-store');
    return { status: campaign.status };
  });
  app.get<{ Params: { id: string } }>('/v1/campaigns/:id', async ({ params, headers }, reply) => {
    const manifest = (await sources.manifests()).find(({ id }) => id === params.id);
    if (!manifest) throw unknownCampaign(params.id);
    const etag = `"${await sha256HexOfText(JSON.stringify(manifest))}"`;
    reply.headers({ etag, 'cache-control': 'no-cache' });
    return headers['if-none-match'] === etag ? reply.code(304).send() : manifest;
  });
  app.get<{ Params: { id: string } }>('/v1/campaigns/:id/state', async ({ params }, reply) => {
    reply.header('cache-control', 'no-store');
    return reply.type('application/json; charset=utf-8').send(await sources.stateJson(params.id));
  });
  app.get<{ Params: { id: string } }>('/v1/campaigns/:id/contributions', async ({ params, query }, reply) => {
    const page = pageQuery.safeParse(query);
    if (!page.success) return sendError(reply, 400, 'malformed', '"after" is the sequence of the last one you have.');
    reply.header('cache-control', 'no-store');
    return { contributions: await sources.contributions(params.id, page.data.after) };
  });
  app.get<{ Params: { sha256: string } }>('/v1/files/:sha256', async ({ params }, reply) => {
    const file = sha256Schema.safeParse(params.sha256).success ? await sources.servedFile(params.sha256) : null;
    if (!file) return sendError(reply, 404, 'unknown_file', 'This server has no such file.');
    return sendContentAddressed(reply, file.path, params.sha256);
  });
  app.get('/v1/campaigns/:id/versions/:version/:file', async ({ params: rawParams }, reply) => {
    const params = versionParams.safeParse(rawParams);
    if (!params.success) return sendError(reply, 404, 'unknown_file', 'There is no such file of a version.');
    const { id, version, file } = params.data;
    const exported = await sources.exportVersion(id, version === 'latest' ? undefined : Number(version));
    const isModel = file === 'adapter_model.safetensors';
    reply.headers({
      // A version number means other bytes in another data directory, so it is asked for each time.
      'cache-control': 'no-cache',
      'content-disposition': `attachment; filename="${file}"`,
      'x-oneround-version': exported.version,
    });
    return reply
      .type(isModel ? 'application/octet-stream' : 'application/json')
      .send(Buffer.from(isModel ? exported.adapterModel : exported.adapterConfig));
  });
  if (options.webRoot !== undefined) await servePage(app, options.webRoot);
  app.setNotFoundHandler((request, reply) => {
    const reads = request.method === 'GET' || request.method === 'HEAD';
    if (options.webRoot !== undefined && reads && isPagePath(request.url)) {
      return reply.header('cache-control', 'no-cache').sendFile('index.html');
    }
    return sendError(reply, 404, 'not_found', `There is nothing at ${request.url.split('?')[0]}.`);
  });
  return app;
}

/** A whole file or a range of it (RFC 9110, section 14). */
async function sendContentAddressed(reply: FastifyReply, path: string, sha256: string): Promise<FastifyReply> {
  const etag = `"${sha256}"`;
  const { raw } = reply.request;
  // Named by its content, a file never changes; `send` would compare with a tag made from the time of writing.
  if (raw.headers['if-range'] === etag) delete raw.headers['if-range'];
  const file = await send(raw, basename(path), {
    root: dirname(path),
    etag: false,
    lastModified: false,
    cacheControl: false,
    contentType: false,
  });
  if (file.type === 'error') {
    file.stream.destroy();
    if (file.statusCode === 416) reply.headers({ 'content-range': file.headers['Content-Range'] });
    const message = file.statusCode === 416 ? 'The file ends before this range.' : 'The file could not be read.';
    return sendError(reply, file.statusCode, 'unreadable_file', message);
  }
  reply.code(file.statusCode).headers({ ...file.headers, 'cache-control': IMMUTABLE, etag });
  return reply.type('application/octet-stream').send(file.stream);
}

async function servePage(app: FastifyInstance, webRoot: string): Promise<void> {
  if (!existsSync(join(webRoot, 'index.html'))) {
    throw new Error(
      `There is no built page in ${webRoot}. Run \`npx vite build\`, or start the server with \`npm start\`.`,
    );
  }
  await app.register(fastifyStatic, {
    root: webRoot,
    wildcard: false,
    setHeaders: (reply, path) => {
      reply.header('cache-control', path.includes('/assets/') ? IMMUTABLE : 'no-cache');
    },
  });
}

/** Paths that the page itself routes; everything else that is missing is a 404. */
function isPagePath(url: string): boolean {
  const path = url.split('?')[0]!;
  return (
    !path.startsWith('/v1/') && !path.startsWith('/socket.io') && !path.startsWith('/assets/') && !path.includes('.')
  );
}

function unknownCampaign(id: string): Refusal {
  return new Refusal('unknown_campaign', `This server has no campaign called "${id.slice(0, 64)}".`);
}

function answerError(error: unknown, reply: FastifyReply, logger: FastifyBaseLogger): FastifyReply {
  if (error instanceof Refusal) {
    return sendError(reply, statuses[error.code] ?? 404, error.code, error.message);
  }
  const { statusCode = 500, message = '' } = error as { statusCode?: number; message?: string };
  if (statusCode < 500) return sendError(reply, statusCode, 'malformed', message);
  logger.error({ err: error }, 'a request failed');
  return sendError(reply, 500, 'internal', 'The server failed at this request; it has been logged.');
}

function sendError(reply: FastifyReply, status: number, code: string, message: string): FastifyReply {
  return reply.code(status).header('cache-control', 'no-store').send({ error: { code, message } });
}
