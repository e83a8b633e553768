/** `/v1/admin` and its description on a server. */
import { Refusal } from '@oneround/fl-core';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import * as z from 'zod';
import { VerifyError } from '../ledger/index.ts';
import { AdminDenied, type AdminAccess } from './admin-access.ts';
import { openApiDocument } from './open-api.ts';
import type { Organiser } from './organiser.ts';
import { adminRoutes, type AdminRoute } from './routes.ts';

export interface AdminSources {
  organiser: Organiser;
  access: AdminAccess;
  /** Where a request comes from, for the rate limit. */
  addressOf: (request: IncomingMessage) => string;
}

export function addAdminRoutes(app: FastifyInstance, { organiser, access, addressOf }: AdminSources): void {
  const description = openApiDocument();
  app.get('/v1/openapi.json', () => description);
  for (const route of Object.values(adminRoutes) as unknown as AdminRoute[]) {
    app.route({
      method: route.method,
      url: route.path,
      async handler(request, reply) {
        reply.header('cache-control', 'no-store');
        try {
          await access.check(request.headers.authorization, addressOf(request.raw));
          const params = parsed(route.params, request.params);
          const body = parsed(route.body, request.body ?? {});
          return route.answer.parse(await route.run(organiser, params, body));
        } catch (error) {
          return answerError(error, reply);
        }
      },
    });
  }
}

function parsed(schema: z.ZodObject, value: unknown): Record<string, unknown> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Refusal('malformed', z.prettifyError(result.error).replaceAll('\n', ' ').slice(0, 300));
}

function answerError(error: unknown, reply: FastifyReply): FastifyReply {
  const send = (status: number, code: string, message: string) => reply.code(status).send({ error: { code, message } });
  if (error instanceof AdminDenied) {
    if (error.status === 401) reply.header('www-authenticate', 'Bearer');
    return send(error.status, error.code, error.message);
  }
  if (error instanceof VerifyError) return send(409, 'not_as_recorded', error.message);
  if (!(error instanceof Refusal)) throw error;
  const status = error.code.startsWith('unknown_') ? 404 : error.code === 'malformed' ? 400 : 409;
  return send(status, error.code, error.message);
}
