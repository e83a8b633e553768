/** The admin API in OpenAPI 3.1, made from the schemas that check it. */
import { refusalCodes, refusalSchema } from '@oneround/fl-core';
import * as z from 'zod';
import { adminRoutes, type AdminRoute } from './routes.ts';

/** What is wrong with a request: a refusal of the ledger's, of its token, or what a verification found. */
export const adminErrorSchema = refusalSchema.extend({
  code: z.enum([...refusalCodes, 'forbidden', 'not_as_recorded']),
});

/** What `/v1/openapi.json` serves. */
export function openApiDocument(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [name, route] of Object.entries(adminRoutes)) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(name, route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'oneround admin API',
      version: '1',
      description: 'What an organiser may do on a running server. `oneround admin-token` makes the token.',
    },
    paths,
    components: { securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } } },
    security: [{ adminToken: [] }],
  };
}

type Described = Pick<AdminRoute, 'summary' | 'params' | 'body' | 'answer'>;

function operationOf(name: string, { summary, params, body, answer }: Described): object {
  const takesBody = Object.keys(body.shape).length > 0;
  return {
    operationId: name,
    summary,
    parameters: Object.entries(params.shape).map(([parameter, schema]) => ({
      name: parameter,
      in: 'path',
      required: true,
      schema: schemaOf(schema as z.ZodType, 'input'),
    })),
    ...(takesBody && { requestBody: { required: !body.safeParse({}).success, content: jsonOf(body, 'input') } }),
    responses: {
      200: { description: 'Done', content: jsonOf(answer, 'output') },
      default: {
        description:
          'Refused: 400 for what does not fit, 401 and 403 for the token, 404 for what is not there, 409 for what cannot be done, ' +
          '422 for a campaign file that cannot be served, 429 for too many requests, 500 for a fault that is logged, ' +
          '503 for a database that is away, 507 for a full disk',
        content: jsonOf(z.strictObject({ error: adminErrorSchema }), 'output'),
      },
    },
  };
}

function jsonOf(schema: z.ZodType, io: 'input' | 'output'): object {
  return { 'application/json': { schema: schemaOf(schema, io) } };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _dialect, ...content } = z.toJSONSchema(schema, { io });
  return content;
}
