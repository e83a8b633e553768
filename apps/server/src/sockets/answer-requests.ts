/**
 * The one place where socket messages meet handlers. Whatever a client sends - garbage, no acknowledgement, an unknown
 * event - a handler never throws out of here: DISCO's server exits on three such frames.
 */
import {
  Refusal,
  requests,
  type Acknowledgement,
  type ReplyOf,
  type RequestName,
  type RequestOf,
} from '@oneround/fl-core';
import type { Socket } from 'socket.io';
import * as z from 'zod';
import type { RequestIds } from '../operations/index.ts';

/** Malformed messages after which a client is hung up on. */
const ERROR_BUDGET = 50;

/** What becomes of requests that are not answered with yes. */
export interface RequestObserver {
  /** `request` is the protocol's name for it, or `unknown`. */
  refused: (request: RequestName | 'unknown', refusal: Refusal, ids: RequestIds) => void;
  failed: (request: RequestName | 'unknown', error: unknown) => void;
}

/** The ids of any request, without what is none. */
const idsSchema = z.object({
  leaseId: z.uuid().optional().catch(undefined),
  contributionId: z.uuid().optional().catch(undefined),
});

/** A handler per request of the protocol. */
export type RequestHandlers = { [Name in RequestName]: (request: RequestOf<Name>) => Promise<ReplyOf<Name>> };

/**
 * Answers every event of `socket`. Refusals go back typed; any other error is told and goes back as `internal`.
 * A message whose acknowledgement is missing is still handled; its answer goes nowhere.
 */
export function answerRequests(socket: Socket, handlers: RequestHandlers, observer: RequestObserver): void {
  let errors = 0;
  // A client may name its event "error"; without a listener Node would throw it.
  socket.on('error', () => undefined);
  socket.onAny((event: unknown, ...args: unknown[]) => {
    const last = args.at(-1);
    const acknowledge = typeof last === 'function' ? (answer: Acknowledgement) => void last(answer) : () => undefined;
    const body = typeof last === 'function' ? args.slice(0, -1) : args;
    void respond(event, body).then((answer) => {
      if (!answer.ok && answer.error.code === 'malformed' && ++errors >= ERROR_BUDGET) socket.disconnect(true);
      // Told nothing, a client connects again, perhaps to a server that can, and repeats what it asked.
      else if (!answer.ok && answer.error.code === 'unavailable') socket.conn.close();
      else acknowledge(answer);
    });
  });

  async function respond(event: unknown, body: unknown[]): Promise<Acknowledgement> {
    try {
      if (typeof event !== 'string' || !isRequest(event)) {
        throw new Refusal('malformed', `There is no request called ${JSON.stringify(String(event).slice(0, 40))}.`);
      }
      return { ok: true, value: await handle(event, body) };
    } catch (error) {
      const request = typeof event === 'string' && isRequest(event) ? event : 'unknown';
      if (error instanceof Refusal) {
        observer.refused(request, error, idsSchema.safeParse(body[0]).data ?? {});
        return { ok: false, error: error.toMessage() };
      }
      observer.failed(request, error);
      const message = 'The server failed at this request; it has been logged. Try again in a moment.';
      return { ok: false, error: { code: 'internal', message } };
    }
  }

  function handle<Name extends RequestName>(name: Name, body: unknown[]): Promise<ReplyOf<Name>> {
    const parsed = requests[name].request.safeParse(body.length === 1 ? body[0] : undefined);
    if (!parsed.success) {
      const problem = z.prettifyError(parsed.error).replaceAll('\n', ' ').slice(0, 300);
      throw new Refusal('malformed', `The "${name}" message does not fit the protocol: ${problem}`);
    }
    return handlers[name](parsed.data as RequestOf<Name>);
  }
}

function isRequest(event: string): event is RequestName {
  return Object.hasOwn(requests, event);
}
