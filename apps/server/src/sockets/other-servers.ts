/**
 * The servers that share this one's ledger: they tell one another through Postgres what has changed, each its own clients.
 * What is longer than a NOTIFY takes (8 kB) goes through a table of socket.io's adapter.
 */
import { randomUUID } from 'node:crypto';
import { createAdapter } from '@socket.io/postgres-adapter';
import type { ClientRow } from '@oneround/fl-core';
import type { Server } from 'socket.io';
import type { Pool, PoolClient } from 'pg';
import type { Change } from '../ledger/index.ts';
import { Pace } from './pace.ts';
import { changesOf, PendingChanges, type ChangedRows } from './pending-changes.ts';

const ANNOUNCE_MS = 1000;
/** Between two messages about one campaign. */
const PAUSE_MS = 100;
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
  /** What the others are still to be told, by campaign. */
  readonly #waiting = new Map<string, { pending: PendingChanges; pace: Pace }>();
  readonly #timer: NodeJS.Timeout;
  #announcedAt = 0;
  #isNew = false;

  /** Servers of `io` find one another through the database from now on. `onError` is told what the adapter could not send. */
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

  /** The others' clients shall hear of it. */
  tellChanges(campaignId: string, changes: readonly Change[]): void {
    const { pending, pace } = this.#outgoing(campaignId);
    pending.add(changes);
    pace.wake();
  }

  /** As `tellChanges`, for a client of whom nothing changed but its figures. */
  tellFigures(campaignId: string, client: ClientRow): void {
    const { pending, pace } = this.#outgoing(campaignId);
    pending.addFigures(client);
    pace.wake();
  }

  onChanges(listen: (campaignId: string, changes: Change[]) => void): void {
    this.#io.on('changes', (campaignId: string, rows: ChangedRows) => listen(campaignId, changesOf(rows)));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const { pace } of this.#waiting.values()) await pace.stop();
  }

  #outgoing(campaignId: string): { pending: PendingChanges; pace: Pace } {
    const known = this.#waiting.get(campaignId);
    if (known) return known;
    const pending = new PendingChanges();
    const deliver = async () => void this.#io.serverSideEmit('changes', campaignId, pending.take());
    const outgoing = { pending, pace: new Pace({ deliver, hasMore: () => !pending.isEmpty, pauseMs: PAUSE_MS }) };
    this.#waiting.set(campaignId, outgoing);
    return outgoing;
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
