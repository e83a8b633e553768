/** What watches a server asks: is it alive, is it ready, what are its figures. */
import type { FastifyInstance } from 'fastify';
import { mayReadMetrics, type Readiness, type ServerMetrics } from '../operations/index.ts';

export interface OperationsSources {
  readiness: Readiness;
  metrics: ServerMetrics;
  /** Opens `/metrics` to whoever has it; without one only this machine may read them. */
  metricsToken?: string | undefined;
  /** Told of somebody who may not read the metrics. */
  onDenied: () => void;
}

/** Answered also while a server starts. */
const OPERATIONS_PATHS = new Set(['/healthz', '/readyz', '/metrics']);

/** Adds the routes, and answers everything else with 503 until the server serves. */
export function addOperationsRoutes(app: FastifyInstance, sources: OperationsSources): void {
  const { readiness, metrics, metricsToken, onDenied } = sources;
  app.addHook('onRequest', async (request, reply) => {
    if (!readiness.isStarting || OPERATIONS_PATHS.has(request.url.split('?')[0]!)) return;
    const error = { code: 'starting', message: 'The server is starting; try again in a moment.' };
    return reply.code(503).headers({ 'cache-control': 'no-store', 'retry-after': '2' }).send({ error });
  });
  app.get('/healthz', () => ({ ok: true }));
  app.get('/readyz', async (_request, reply) => {
    const reason = await readiness.reason();
    return reply
      .code(reason === null ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(reason === null ? { ready: true } : { ready: false, reason });
  });
  app.get('/metrics', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    if (mayReadMetrics(request.raw, metricsToken)) return reply.type(metrics.contentType).send(await metrics.text());
    onDenied();
    const message =
      metricsToken === undefined
        ? 'Only this machine may read the metrics; start the server with --metrics-token to read them elsewhere.'
        : 'Send the metrics token: "Authorization: Bearer <token>".';
    if (metricsToken !== undefined) reply.header('www-authenticate', 'Bearer');
    return reply.code(metricsToken === undefined ? 403 : 401).send({ error: { code: 'forbidden', message } });
  });
}
