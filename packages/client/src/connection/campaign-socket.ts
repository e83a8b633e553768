/**
 * The typed socket: every request of fl-core's table, answered or failed, never left hanging.
 * Used by the trainer worker (volunteer) and by the dashboard (observer).
 */
import {
  CAMPAIGN_EVENT,
  NEWS_EVENT,
  Refusal,
  acknowledgementSchema,
  campaignUpdateSchema,
  mergeNewsSchema,
  requests,
  type CampaignUpdate,
  type MergeNews,
  type ReplyOf,
  type RequestName,
  type RequestOf,
} from '@oneround/fl-core';
import { io, type Socket } from 'socket.io-client';

const ACK_TIMEOUT_MS = 15_000;

/** The connection broke or stayed silent: the request may or may not have arrived. Ask again. */
export class NoAnswer extends Error {
  constructor(request: RequestName, reason: string) {
    super(`No answer to "${request}": ${reason}.`);
    this.name = 'NoAnswer';
  }
}

/** Sends one request of the protocol and resolves with its checked reply. */
export interface Requester {
  /** @throws Refusal when the server says no; NoAnswer when it says nothing */
  request<Name extends RequestName>(name: Name, body: RequestOf<Name>): Promise<ReplyOf<Name>>;
}

/** A connection that comes back by itself. */
export interface CampaignSocket extends Requester {
  readonly connected: boolean;
  /** Resolves at once while connected, otherwise at the next connection; rejects when `signal` aborts. */
  whenConnected(signal: AbortSignal): Promise<void>;
  /** Calls `listener` at every change, and once at once when connected already. Returns how to unsubscribe. */
  onConnection(listener: (connected: boolean) => void): () => void;
  /** What comes after `watch`. Returns how to unsubscribe, as the next does. */
  onUpdate(listener: (update: CampaignUpdate) => void): () => void;
  /** What comes after `follow`. */
  onNews(listener: (news: MergeNews) => void): () => void;
  close(): void;
}

/** Connects to the server at `origin` (scheme, host and port). */
export function openCampaignSocket(origin: string): CampaignSocket {
  const socket = io(origin, { transports: ['websocket'], reconnectionDelay: 500, reconnectionDelayMax: 5_000 });
  return {
    get connected() {
      return socket.connected;
    },
    request: (name, body) => request(socket, name, body),
    whenConnected: (signal) => whenConnected(socket, signal),
    onConnection: (listener) => onConnection(socket, listener),
    onUpdate: (listener) => listen(socket, CAMPAIGN_EVENT, (message) => listener(campaignUpdateSchema.parse(message))),
    onNews: (listener) => listen(socket, NEWS_EVENT, (message) => listener(mergeNewsSchema.parse(message))),
    close: () => void socket.close(),
  };
}

async function request<Name extends RequestName>(
  socket: Socket,
  name: Name,
  body: RequestOf<Name>,
): Promise<ReplyOf<Name>> {
  if (!socket.connected) throw new NoAnswer(name, 'not connected');
  let answer: unknown;
  try {
    answer = await socket.timeout(ACK_TIMEOUT_MS).emitWithAck(name, body);
  } catch (error) {
    throw new NoAnswer(name, error instanceof Error ? error.message : String(error));
  }
  const acknowledgement = acknowledgementSchema.parse(answer);
  if (!acknowledgement.ok) throw new Refusal(acknowledgement.error.code, acknowledgement.error.message);
  return requests[name].reply.parse(acknowledgement.value) as ReplyOf<Name>;
}

function listen(socket: Socket, event: string, receive: (message: unknown) => void): () => void {
  socket.on(event, receive);
  return () => void socket.off(event, receive);
}

function whenConnected(socket: Socket, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (socket.connected) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const stop = () => {
      socket.off('connect', arrived);
      reject(signal.reason);
    };
    const arrived = () => {
      signal.removeEventListener('abort', stop);
      resolve();
    };
    socket.once('connect', arrived);
    signal.addEventListener('abort', stop, { once: true });
  });
}

function onConnection(socket: Socket, listener: (connected: boolean) => void): () => void {
  const up = () => listener(true);
  const down = () => listener(false);
  socket.on('connect', up);
  socket.on('disconnect', down);
  socket.on('connect_error', down);
  if (socket.connected) up();
  return () => {
    socket.off('connect', up);
    socket.off('disconnect', down);
    socket.off('connect_error', down);
  };
}
