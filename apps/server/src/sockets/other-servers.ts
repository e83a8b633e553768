/**
 * The servers that share this one's ledger: socket.io's events reach the clients of all of them through Postgres, and they
 * tell one another what is none of the clients' business. Messages are small (NOTIFY takes 8 kB): who wants more reads the
 * ledger.
 */
import { randomUUID } from 'node:crypto';
import { createAdapter } from '@socket.io/postgres-adapter';
import type { Server } from 'socket.io';
import type { Pool, PoolClient } from 'pg';

const ANNOUNCE_MS = 1000;
/** A server that has nothing new to say says so this often, */
const REPEAT_MS = 5000;
/** and one that has not been heard of for this long is gone. */
const GONE_MS = 15_000;

/** Sockets that hold a lease, by campaign. */
type Online = Record<string, number>;

export class OtherServers {
  readonly #io: Server;
  readonly #id = randomUUID();
  readonly #own: Online = {};
  readonly #others = new Map<string, { online: Online; heardAt: number }>();
  readonly #timer: NodeJS.Timeout;
  #announcedAt = 0;
  #isNew = false;

  /** Every event of `io` goes through the database from now on. `onError` is told what the adapter could not send. */
  constructor(io: Server, pool: Pool, onError: (error: Error) => void) {
    this.#io = io;
    giveBrokenOnesBack(pool);
    io.adapter(createAdapter(pool, { errorHandler: onError }));
    io.on('online', (id: string, online: Online) => this.#others.set(id, { online, heardAt: Date.now() }));
    this.#timer = setInterval(() => this.#announce(), ANNOUNCE_MS);
  }

  /** How many sockets hold a lease of this campaign with the other servers. */
  online(campaignId: string): number {
    const heard = [...this.#others.values()].filter(({ heardAt }) => heardAt > Date.now() - GONE_MS);
    return heard.reduce((sum, { online }) => sum + (online[campaignId] ?? 0), 0);
  }

  /** The others hear of it within a second. */
  setOnline(campaignId: string, count: number): void {
    this.#own[campaignId] = count;
    this.#isNew = true;
  }

  /** A contribution was accepted here; whoever leads folds it. */
  tellAccepted(campaignId: string): void {
    this.#io.serverSideEmit('accepted', campaignId);
  }

  onAccepted(listen: (campaignId: string) => void): void {
    this.#io.on('accepted', listen);
  }

  /** A version changed here; its list of contributions is in the ledger. */
  tellVersion(campaignId: string, version: number): void {
    this.#io.serverSideEmit('version', campaignId, version);
  }

  onVersion(listen: (campaignId: string, version: number) => void): void {
    this.#io.on('version', listen);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #announce(): void {
    if (!this.#isNew && Date.now() - this.#announcedAt < REPEAT_MS) return;
    this.#io.serverSideEmit('online', this.#id, this.#own);
    this.#announcedAt = Date.now();
    this.#isNew = false;
  }
}

/**
 * The adapter (0.5.0) takes a connection to listen on and, when that breaks, another one, without giving the first back: after a few
 * restarts of Postgres the pool would be empty, and it could never be ended.
 */
function giveBrokenOnesBack(pool: Pool): void {
  const listeners = new WeakMap<PoolClient, () => void>();
  pool.on('acquire', (client) => {
    const release = () => client.release(true);
    listeners.set(client, release);
    client.once('end', release);
  });
  pool.on('release', (_error, client) => {
    const release = listeners.get(client);
    if (release) client.removeListener('end', release);
  });
}
