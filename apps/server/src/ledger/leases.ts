/**
 * Leases: the right to train a shard until a deadline. A lease outlives its connection (a reload resumes it) but not its
 * deadline; then somebody else gets the shard, and nobody waits.
 *
 * The rows decide, and the database's clock: any number of servers may hand out the same campaign's shards. Memory holds
 * what a row never changes, and a client's newest figures until they are worth a write.
 */
import {
  Refusal,
  staleRound,
  STATE_ROWS,
  type ClientRow,
  type JoinRequest,
  type Progress,
  type RefusalMessage,
} from '@oneround/fl-core';
import type { CampaignDefinition } from '../campaign/index.ts';
import { checkIsSame } from './campaign-life.ts';
import { lockCampaign, readClock } from './dialect.ts';
import { findLease, grantLease, type HeldLease } from './grant-lease.ts';
import { LeaseMemory, type LastWrite, type LeaseHolder } from './lease-memory.ts';
import { clientColumns, entered, isLive, leaseSpent, type LeaseRow } from './lease-terms.ts';
import type { LedgerDatabase } from './open-database.ts';

/** A deadline is written again once this part of the time to live has passed: it is never nearer than the rest. */
const WRITE_AFTER = 1 / 3;

/** All leases of one ledger. Figures are no promise: those that are not stored yet are lost with the server. */
export class LeaseBook {
  readonly #db: LedgerDatabase;
  readonly #now: () => number;
  readonly #written = new LeaseMemory();

  constructor(db: LedgerDatabase, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /** A campaign's newest participations, oldest first. */
  async clients(campaignId: string): Promise<ClientRow[]> {
    const rows = await this.#db
      .selectFrom('leases')
      .select(['lease_id', 'client'])
      .where('campaign_id', '=', campaignId)
      .orderBy('joined_at', 'desc')
      .orderBy('lease_id')
      .limit(STATE_ROWS)
      .execute();
    return rows.toReversed().map((row) => this.#newest(row));
  }

  /**
   * Grants a new lease, or the one asked for in `resumeLeaseId` while its shard is not somebody else's and its round lasts.
   * @throws Refusal `no_shard_free` with when one may come back, `no_shard_left` when none will for this asker;
   *   `campaign_closed` after the last round; those of `admit` and `checkIsSame`
   */
  async join(
    request: JoinRequest,
    asker: { clientId: string; address: string | undefined },
    { definition: campaign, hash }: { definition: CampaignDefinition; hash: string },
  ): Promise<HeldLease> {
    return this.#db.transaction().execute(async (transaction) => {
      await lockCampaign(transaction, request.campaignId);
      await checkIsSame(transaction, request.campaignId, hash);
      const now = await readClock(transaction, this.#now);
      const newest = (row: LeaseRow) => this.#newest(row);
      const granted = await grantLease(transaction, request, { ...asker, campaign, now, newest });
      this.#written.delete(granted.lease.leaseId);
      return granted;
    });
  }

  /** How many leases may still contribute, and how many uploads they have under way, of all campaigns. */
  async figures(): Promise<{ leases: number; uploads: number }> {
    const now = await readClock(this.#db, this.#now);
    const live = this.#db.selectFrom('leases').where('ended', 'is', null).where('expires_at', '>', now);
    const { count: leases } = await live
      .select((row) => row.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    const { count: uploads } = await this.#db
      .selectFrom('uploads')
      .select((row) => row.fn.countAll<number>().as('count'))
      .where('lease_id', 'in', live.select('lease_id'))
      .executeTakeFirstOrThrow();
    return { leases, uploads };
  }

  /** Extends a live lease and returns its deadline (epoch ms). @throws Refusal `unknown_lease`, `lease_expired`, `lease_spent` */
  async heartbeat(leaseId: string, ttlMs: number): Promise<number> {
    const last = this.#written.get(leaseId);
    return last && this.#isFresh(last, ttlMs) ? last.expiresAt : this.#extend(await this.live(leaseId), ttlMs);
  }

  /** Notes what a client is doing; also extends the lease. Throws as `heartbeat`. */
  async progress(progress: Progress, ttlMs: number): Promise<ClientRow> {
    const { leaseId, phase, ...figures } = progress;
    const last = this.#written.get(leaseId);
    if (last && last.client.phase === phase && this.#isFresh(last, ttlMs)) {
      last.client = { ...last.client, ...figures };
      return last.client;
    }
    const row = await this.live(leaseId);
    const client = entered({ ...this.#newest(row), ...figures }, phase, await readClock(this.#db, this.#now));
    await this.#extend(row, ttlMs, client);
    return client;
  }

  /** Gives a shard back at once. @returns its client, or null when the lease had ended */
  async leave(leaseId: string): Promise<ClientRow | null> {
    const row = await this.#row(leaseId);
    const client = entered(this.#newest(row), 'gone', await readClock(this.#db, this.#now));
    // Its contribution may be accepted at this moment, by another server.
    const { numUpdatedRows } = await this.#db
      .updateTable('leases')
      .set({ ended: 'left', ...clientColumns(client) })
      .where('lease_id', '=', leaseId)
      .where('ended', 'is', null)
      .executeTakeFirst();
    this.#written.delete(leaseId);
    return numUpdatedRows === 1n ? client : null;
  }

  /** Ends every lease whose deadline has passed and returns the clients that held them. */
  async sweep(): Promise<{ campaignId: string; client: ClientRow }[]> {
    const now = await readClock(this.#db, this.#now);
    const lapsed = await this.#db
      .selectFrom('leases')
      .selectAll()
      .where('ended', 'is', null)
      .where('expires_at', '<=', now)
      .execute();
    const swept: { campaignId: string; client: ClientRow }[] = [];
    for (const row of lapsed) {
      const client = entered(this.#newest(row), 'gone', now);
      // It may have been resumed meanwhile, with another server.
      const { numUpdatedRows } = await this.#db
        .updateTable('leases')
        .set({ ended: 'lapsed', ...clientColumns(client) })
        .where('lease_id', '=', row.lease_id)
        .where('ended', 'is', null)
        .where('expires_at', '<=', now)
        .executeTakeFirst();
      this.#written.delete(row.lease_id);
      if (numUpdatedRows === 1n) swept.push({ campaignId: row.campaign_id, client });
    }
    return swept;
  }

  /** Ends every lease of a round that ended without its contribution, and returns the clients that held them. */
  async endBefore(campaignId: string, base: number): Promise<ClientRow[]> {
    const now = await readClock(this.#db, this.#now);
    const late = await this.#db
      .selectFrom('leases')
      .selectAll()
      .where('campaign_id', '=', campaignId)
      .where('base_version', '<', base)
      .where('ended', 'is', null)
      .execute();
    const clients: ClientRow[] = [];
    for (const row of late) {
      const client = entered(this.#newest(row), 'gone', now);
      const { numUpdatedRows } = await this.#db
        .updateTable('leases')
        .set({ ended: 'stale', ...clientColumns(client) })
        .where('lease_id', '=', row.lease_id)
        .where('ended', 'is', null)
        .executeTakeFirst();
      this.#written.delete(row.lease_id);
      if (numUpdatedRows === 1n) clients.push(client);
    }
    return clients;
  }

  /** The lease's contribution is in the ledger, with the transaction that says so. */
  async spend(transaction: LedgerDatabase, leaseId: string, contributionId: string): Promise<ClientRow> {
    const row = await this.#row(leaseId, transaction);
    const now = await readClock(transaction, this.#now);
    const client = entered({ ...this.#newest(row), contributionId, refusal: null }, 'contributed', now);
    await transaction
      .updateTable('leases')
      .set({ ended: 'spent', ...clientColumns(client) })
      .where('lease_id', '=', leaseId)
      .execute();
    this.#written.delete(leaseId);
    return client;
  }

  /** Shows on the client's row why its upload was refused. */
  async noteRefusal(leaseId: string, refusal: RefusalMessage): Promise<ClientRow> {
    const row = await this.#row(leaseId);
    const client = { ...this.#newest(row), refusal };
    // What another server has written meanwhile stays: its contribution may be accepted at this moment.
    const { numUpdatedRows } = await this.#db
      .updateTable('leases')
      .set(clientColumns(client))
      .where('lease_id', '=', leaseId)
      .where('client', '=', row.client)
      .executeTakeFirst();
    this.#written.delete(leaseId);
    return numUpdatedRows === 1n ? client : this.clientOf(leaseId);
  }

  /** Who holds a lease, whether it is alive or not. @throws Refusal `unknown_lease` */
  async holder(leaseId: string): Promise<LeaseHolder> {
    return this.#written.get(leaseId)?.holder ?? holderOf(await this.#row(leaseId));
  }

  /** Drops what is known of the leases of a campaign; their rows are gone already. */
  forget(campaignId: string): void {
    this.#written.forget(campaignId);
  }

  /** The participation as observers see it. @throws Refusal `unknown_lease` */
  async clientOf(leaseId: string): Promise<ClientRow> {
    return this.#newest(await this.#row(leaseId));
  }

  /** A lease that may still contribute. @throws Refusal `unknown_lease`, `lease_expired`, `lease_spent` or `stale_round` */
  async live(leaseId: string, db = this.#db): Promise<LeaseRow> {
    const row = await this.#row(leaseId, db);
    if (row.ended === 'spent') throw leaseSpent();
    if (row.ended === 'stale') throw staleRound(row.base_version);
    if (!isLive(row, await readClock(db, this.#now))) throw leaseExpired();
    return row;
  }

  async #row(leaseId: string, db = this.#db): Promise<LeaseRow> {
    const row = await findLease(db, leaseId);
    if (!row) throw new Refusal('unknown_lease', 'This server knows no such lease; join again.');
    return row;
  }

  #isFresh({ at }: LastWrite, ttlMs: number): boolean {
    return this.#now() - at < ttlMs * WRITE_AFTER;
  }

  /** A client with figures that are not stored yet, unless another server has written its row since. */
  #newest({ lease_id, client }: Pick<LeaseRow, 'lease_id' | 'client'>): ClientRow {
    const last = this.#written.get(lease_id);
    return last?.stored === client ? last.client : (JSON.parse(client) as ClientRow);
  }

  async #extend(row: LeaseRow, ttlMs: number, client: ClientRow = this.#newest(row)): Promise<number> {
    const now = await readClock(this.#db, this.#now);
    const columns = clientColumns(client);
    const expiresAt = now + ttlMs;
    const { numUpdatedRows } = await this.#db
      .updateTable('leases')
      .set({ expires_at: expiresAt, ...columns })
      .where('lease_id', '=', row.lease_id)
      .where('ended', 'is', null)
      .where('expires_at', '>', now)
      .executeTakeFirst();
    if (numUpdatedRows !== 1n) throw leaseExpired();
    const at = this.#now();
    this.#written.set(row.lease_id, { holder: holderOf(row), at, ttlMs, expiresAt, stored: columns.client, client });
    return expiresAt;
  }
}

function holderOf(row: LeaseRow): LeaseHolder {
  return {
    campaignId: row.campaign_id,
    publicKey: row.public_key,
    shardIndex: row.shard_index,
    baseVersion: row.base_version,
  };
}

function leaseExpired(): Refusal {
  return new Refusal('lease_expired', 'This lease has ended and its shard may be in other hands; join again.');
}
