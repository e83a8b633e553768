/** `/v1/admin` and its description on a server. */
import { Refusal, type RefusalCode } from '@oneround/fl-core';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import * as z from 'zod';
import { VerifyError } from '../ledger/index.ts';
import type { Activity } from '../operations/index.ts';
import { AdminDenied, type AdminAccess } from './admin-access.ts';
import { adminErrorSchema, openApiDocument } from './open-api.ts';
import type { Organiser } from './organiser.ts';
import { adminRoutes, type AdminRoute } from './routes.ts';

export interface AdminSources {
  organiser: Organiser;
  access: AdminAccess;
  /** Told of whatever changes something, and of every request that is refused. */
  activity: Activity;
  /** Where a request comes from, for the rate limit. */
  addressOf: (request: IncomingMessage) => string;
}

export function addAdminRoutes(app: FastifyInstance, { organiser, access, activity, addressOf }: AdminSources): void {
  const description = openApiDocument();
  app.get('/v1/openapi.json', () => description);
  for (const [action, route] of Object.entries(adminRoutes) as unknown as [string, AdminRoute][]) {
    app.route({
      method: route.method,
      url: route.path,
      async handler(request, reply) {
        reply.header('cache-control', 'no-store');
        let params: Record<string, unknown> = {};
        try {
          await access.check(request.headers.authorization, addressOf(request.raw));
          params = parsed(route.params, request.params);
          const body = parsed(route.body, request.body ?? {});
          const answer = route.answer.parse(await route.run(organiser, params, body));
          if (route.method !== 'GET') activity.organised({ action, ...subjectOf({ ...answer, ...params }) });
          return answer;
        } catch (error) {
          if (error instanceof AdminDenied) activity.turnedAway('admin', error.code);
          else if (error instanceof Refusal) activity.refused('admin', error, { action, ...subjectOf(params) });
          else if (error instanceof VerifyError) activity.failed('verify', error, subjectOf(params));
          else activity.failed('request', error, { request: 'admin', action, ...subjectOf(params) });
          return answerError(error, reply);
        }
      },
    });
  }
}

const subjectSchema = z.object({
  campaign: z.string().optional(),
  campaignId: z.string().optional(),
  contribution: z.string().optional(),
  invite: z.string().optional(),
  id: z.string().optional(),
});

/** The ids among a route's parameters and what it answers; an invite's token is none. */
function subjectOf(facts: Record<string, unknown>) {
  const { campaign, campaignId = campaign, contribution, id, invite = id } = subjectSchema.parse(facts);
  return { campaignId, contributionId: contribution, inviteId: invite };
}

function parsed(schema: z.ZodObject, value: unknown): Record<string, unknown> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Refusal('malformed', z.prettifyError(result.error));
}

function answerError(error: unknown, reply: FastifyReply): FastifyReply {
  const send = (status: number, code: z.infer<typeof adminErrorSchema>['code'], message: string) =>
    reply.code(status).send({ error: { code, message: sentence(message) } });
  if (error instanceof AdminDenied) {
    if (error.status === 401) reply.header('www-authenticate', 'Bearer');
    return send(error.status, error.code, error.message);
  }
  if (error instanceof VerifyError) return send(409, 'not_as_recorded', error.message);
  if (!(error instanceof Refusal))
    return send(500, 'internal', 'The server failed at this request; it has been logged.');
  return send(statusOf(error.code), error.code, error.message);
}

/** One line, as long as an answer's may be. */
function sentence(message: string): string {
  return message.replaceAll(/\s*\n\s*/g, ' ').slice(0, 500);
}

function statusOf(code: RefusalCode): number {
  if (code === 'malformed') return 400;
  if (code === 'bad_campaign_file') return 422;
  if (code === 'rate_limited') return 429;
  if (code === 'unavailable') return 503;
  if (code === 'storage_full') return 507;
  return code.startsWith('unknown_') ? 404 : 409;
}
