/**
 * Leases: the right to train a shard until a deadline. A lease outlives its connection (a reload resumes it) but not its
 * deadline; then somebody else gets the shard, and nobody waits.
 */
import { randomUUID } from 'node:crypto';
import {
  Refusal,
  type ClientPhase,
  type ClientRow,
  type JoinRequest,
  type Lease,
  type Progress,
  type RefusalMessage,
} from '@oneround/fl-core';
import type { Selectable } from 'kysely';
import type { CampaignDefinition, DataShard } from '../campaign/index.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { LedgerTables } from './schema.ts';

type LeaseRow = Selectable<LedgerTables['leases']>;

/** A lease as its holder and as observers see it. */
export interface HeldLease {
  lease: Lease;
  client: ClientRow;
}

/** All leases of one ledger. Progress is kept in memory and stored when the phase changes: a figure is no promise. */
export class LeaseBook {
  readonly #db: LedgerDatabase;
  readonly #now: () => number;
  /** Newest row of every lease. */
  readonly #rows = new Map<string, LeaseRow>();
  readonly #clients = new Map<string, ClientRow>();

  private constructor(db: LedgerDatabase, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  static async load(db: LedgerDatabase, now: () => number): Promise<LeaseBook> {
    const book = new LeaseBook(db, now);
    for (const row of await db.selectFrom('leases').selectAll().execute()) {
      book.#rows.set(row.lease_id, row);
      book.#clients.set(row.lease_id, JSON.parse(row.client) as ClientRow);
    }
    return book;
  }

  /** Every participation in a campaign, oldest first. */
  clients(campaignId: string): ClientRow[] {
    return this.#of(campaignId)
      .map((row) => this.#clients.get(row.lease_id)!)
      .toSorted((a, b) => a.joinedAt - b.joinedAt);
  }

  /** Shards that somebody is training right now. */
  leasedShards(campaignId: string): Set<number> {
    const live = this.#of(campaignId).filter((row) => this.#isLive(row) && row.shard_index !== null);
    return new Set(live.map((row) => row.shard_index!));
  }

  /**
   * Grants a new lease, or the one asked for in `resumeLeaseId` while its shard is not somebody else's.
   * @throws Refusal `no_shard_free` with when one may come back
   */
  async join(
    request: JoinRequest,
    clientId: string,
    campaign: CampaignDefinition,
    contributed: ReadonlySet<number>,
  ): Promise<HeldLease> {
    const previous = request.resumeLeaseId ? this.#rows.get(request.resumeLeaseId) : undefined;
    if (previous && this.#mayResume(previous, request, contributed)) return this.#resume(previous, campaign);
    const shard = request.source === 'shard' ? this.#nextShard(campaign, contributed) : null;
    const now = this.#now();
    const leaseId = randomUUID();
    const client: ClientRow = {
      leaseId,
      clientId,
      device: request.device,
      shardIndex: shard?.index ?? null,
      phase: 'joined',
      epoch: 0,
      epochs: campaign.manifest.training.epochs,
      step: 0,
      steps: 0,
      tokensPerSecond: 0,
      loss: null,
      bytesDown: 0,
      joinedAt: now,
      phases: [{ phase: 'joined', at: now }],
      contributionId: null,
      refusal: null,
    };
    const row: LeaseRow = {
      lease_id: leaseId,
      campaign_id: request.campaignId,
      public_key: request.publicKey,
      source: request.source,
      shard_index: shard?.index ?? null,
      expires_at: now + campaign.manifest.lease.ttlMs,
      ended: null,
      client: JSON.stringify(client),
    };
    await this.#db.insertInto('leases').values(row).execute();
    this.#rows.set(leaseId, row);
    this.#clients.set(leaseId, client);
    return { lease: leaseOf(row, client, campaign, false), client };
  }

  /** The leases that may still contribute, of all campaigns. */
  liveLeaseIds(): Set<string> {
    const live = [...this.#rows.values()].filter((row) => this.#isLive(row));
    return new Set(live.map((row) => row.lease_id));
  }

  /** Extends a live lease and returns its new deadline (epoch ms). @throws Refusal `unknown_lease`, `lease_expired`, `lease_spent` */
  async heartbeat(leaseId: string, ttlMs: number): Promise<number> {
    const row = this.live(leaseId);
    const expiresAt = this.#now() + ttlMs;
    await this.#update(row, { expires_at: expiresAt });
    return expiresAt;
  }

  /** Notes what a client is doing; also extends the lease. Throws as `heartbeat`. */
  async progress(progress: Progress, ttlMs: number): Promise<ClientRow> {
    const row = this.live(progress.leaseId);
    const { leaseId, phase, ...figures } = progress;
    const before = this.#clients.get(leaseId)!;
    this.#clients.set(leaseId, { ...before, ...figures });
    if (phase !== before.phase) await this.#enter(row, phase, { expires_at: this.#now() + ttlMs });
    else this.#rows.set(leaseId, { ...row, expires_at: this.#now() + ttlMs });
    return this.#clients.get(leaseId)!;
  }

  /** Gives a shard back at once; does nothing to a lease that has ended. */
  async leave(leaseId: string): Promise<ClientRow> {
    const row = this.#row(leaseId);
    if (row.ended === null) await this.#enter(row, 'gone', { ended: 'left' });
    return this.#clients.get(leaseId)!;
  }

  /** Ends every lease whose deadline has passed and returns the clients that held them. */
  async sweep(): Promise<{ campaignId: string; client: ClientRow }[]> {
    const lapsed = [...this.#rows.values()].filter((row) => row.ended === null && row.expires_at <= this.#now());
    for (const row of lapsed) await this.#enter(row, 'gone', { ended: 'lapsed' });
    return lapsed.map((row) => ({ campaignId: row.campaign_id, client: this.#clients.get(row.lease_id)! }));
  }

  /** The lease's contribution is in the ledger. */
  async spend(leaseId: string, contributionId: string): Promise<ClientRow> {
    const row = this.#row(leaseId);
    this.#clients.set(leaseId, { ...this.#clients.get(leaseId)!, contributionId, refusal: null });
    await this.#enter(row, 'contributed', { ended: 'spent' });
    return this.#clients.get(leaseId)!;
  }

  /** Shows on the client's row why its upload was refused. */
  async noteRefusal(leaseId: string, refusal: RefusalMessage): Promise<ClientRow> {
    const row = this.#row(leaseId);
    const client = { ...this.#clients.get(leaseId)!, refusal };
    this.#clients.set(leaseId, client);
    await this.#update(row, { client: JSON.stringify(client) });
    return client;
  }

  /** The campaign and public key of a lease. @throws Refusal `unknown_lease` */
  holder(leaseId: string): { campaignId: string; publicKey: string; shardIndex: number | null } {
    const row = this.#row(leaseId);
    return { campaignId: row.campaign_id, publicKey: row.public_key, shardIndex: row.shard_index };
  }

  /** Drops the leases of a campaign that was replaced before anybody contributed; their rows are gone already. */
  forget(campaignId: string): void {
    for (const { lease_id } of this.#of(campaignId)) {
      this.#rows.delete(lease_id);
      this.#clients.delete(lease_id);
    }
  }

  /** The participation as observers see it. @throws Refusal `unknown_lease` */
  clientOf(leaseId: string): ClientRow {
    this.#row(leaseId);
    return this.#clients.get(leaseId)!;
  }

  /** A lease that may still contribute. @throws Refusal `unknown_lease`, `lease_expired` or `lease_spent` */
  live(leaseId: string): LeaseRow {
    const row = this.#row(leaseId);
    if (row.ended === 'spent') {
      throw new Refusal('lease_spent', 'This lease already has its contribution; join again for another shard.');
    }
    if (!this.#isLive(row)) {
      throw new Refusal('lease_expired', 'This lease has ended and its shard may be in other hands; join again.');
    }
    return row;
  }

  #row(leaseId: string): LeaseRow {
    const row = this.#rows.get(leaseId);
    if (!row) throw new Refusal('unknown_lease', 'This server knows no such lease; join again.');
    return row;
  }

  #of(campaignId: string): LeaseRow[] {
    return [...this.#rows.values()].filter((row) => row.campaign_id === campaignId);
  }

  #isLive(row: LeaseRow): boolean {
    return row.ended === null && row.expires_at > this.#now();
  }

  #mayResume(row: LeaseRow, request: JoinRequest, contributed: ReadonlySet<number>): boolean {
    const { campaign_id, public_key, source, shard_index, ended } = row;
    if (campaign_id !== request.campaignId || public_key !== request.publicKey || source !== request.source)
      return false;
    if (ended === 'spent' || this.#isLive(row)) return true;
    if (shard_index === null) return true;
    return !contributed.has(shard_index) && !this.leasedShards(campaign_id).has(shard_index);
  }

  async #resume(row: LeaseRow, campaign: CampaignDefinition): Promise<HeldLease> {
    if (row.ended !== 'spent') {
      const phase = this.#clients.get(row.lease_id)!.phase;
      const changes = { ended: null, expires_at: this.#now() + campaign.manifest.lease.ttlMs };
      await this.#enter(row, phase === 'gone' ? 'joined' : phase, changes);
    }
    const client = this.#clients.get(row.lease_id)!;
    return { lease: leaseOf(this.#row(row.lease_id), client, campaign, true), client };
  }

  /** The lowest free shard: the same choice on every replay. */
  #nextShard({ manifest, shards }: CampaignDefinition, contributed: ReadonlySet<number>): DataShard {
    const leased = this.leasedShards(manifest.id);
    const free = shards.find(({ index }) => !contributed.has(index) && !leased.has(index));
    if (free) return free;
    if (leased.size === 0) {
      throw new Refusal('no_shard_free', 'Every shard of this campaign has its contribution. Thank you for coming.');
    }
    const live = this.#of(manifest.id).filter((row) => this.#isLive(row) && row.shard_index !== null);
    const seconds = Math.ceil((Math.min(...live.map((row) => row.expires_at)) - this.#now()) / 1000);
    throw new Refusal(
      'no_shard_free',
      `All shards are contributed or being trained (${leased.size} now). If a volunteer leaves, one is free in ${seconds} s at the earliest.`,
    );
  }

  async #enter(row: LeaseRow, phase: ClientPhase, changes: Partial<LeaseRow>): Promise<void> {
    const before = this.#clients.get(row.lease_id)!;
    const phases = phase === before.phase ? before.phases : [...before.phases, { phase, at: this.#now() }];
    const client = { ...before, phase, phases };
    this.#clients.set(row.lease_id, client);
    await this.#update(row, { ...changes, client: JSON.stringify(client) });
  }

  async #update(row: LeaseRow, changes: Partial<LeaseRow>): Promise<void> {
    await this.#db.updateTable('leases').set(changes).where('lease_id', '=', row.lease_id).execute();
    this.#rows.set(row.lease_id, { ...row, ...changes });
  }
}

function leaseOf(row: LeaseRow, client: ClientRow, { shards }: CampaignDefinition, resumed: boolean): Lease {
  const shard = row.shard_index === null ? null : shards[row.shard_index]!;
  return {
    leaseId: row.lease_id,
    clientId: client.clientId,
    shard: shard && {
      path: shard.path,
      bytes: shard.bytes,
      sha256: shard.sha256,
      index: shard.index,
      examples: shard.examples,
    },
    maxLabelTokens: maxLabelTokens(shards, row.shard_index),
    expiresAt: row.expires_at,
    resumed,
  };
}

/** What a contribution on this shard weighs, or may weigh at most when its data is the volunteer's own (null). */
export function maxLabelTokens(shards: readonly DataShard[], shardIndex: number | null): number {
  if (shardIndex !== null) return shards[shardIndex]!.labelTokens;
  return shards.reduce((sum, { labelTokens }) => sum + labelTokens, 0);
}
