/**
 * Who gets which shard: a lease is granted, or the one that was held before goes on, by what the rows say in one transaction
 * that has locked the campaign's.
 */
import { checkMaySend, type CampaignTerms, type ClientRow, type JoinRequest, type Lease } from '@oneround/fl-core';
import type { CampaignDefinition } from '../campaign/index.ts';
import { admit } from './admission.ts';
import { readLife } from './campaign-life.ts';
import {
  clientColumns,
  entered,
  isHolder,
  leaseOf,
  mayResume,
  newClient,
  nextShard,
  takenShards,
  type LeaseRow,
} from './lease-terms.ts';
import type { LedgerDatabase } from './open-database.ts';
import { checkRoundTakes, readRound, trainedShards, valuesFile } from './rounds.ts';
import { checkShardsLeft, settledShards } from './shard-supply.ts';
import { countedContributions, standingContributions } from './standing-contributions.ts';

/** A lease as its holder and as observers see it. */
export interface HeldLease {
  lease: Lease;
  client: ClientRow;
}

/** Who asks for a lease, when and of which campaign. */
interface Asker {
  clientId: string;
  /** The network address; unknown counts as none. */
  address: string | undefined;
  campaign: CampaignDefinition;
  /** On the database's clock. */
  now: number;
  /** A lease's client, with figures that its row does not have yet. */
  newest: (row: LeaseRow) => ClientRow;
}

/** As `LeaseBook.join`, once the campaign is locked. */
export async function grantLease(transaction: LedgerDatabase, request: JoinRequest, asker: Asker): Promise<HeldLease> {
  const { clientId, address, campaign, now } = asker;
  const previous = request.resumeLeaseId ? await findLease(transaction, request.resumeLeaseId) : undefined;
  const own = previous && isHolder(previous, request) ? previous : undefined;
  const { status, terms } = await readLife(transaction, request.campaignId);
  // It may not have heard that its contribution is in, whatever has become of the round or the campaign.
  if (own?.ended === 'spent') return resume(transaction, own, asker);
  if (own) checkMaySend(status);
  const note = own ? null : await admit(transaction, request, address, now);
  const round = await readRound(transaction, campaign.manifest);
  const { base } = round;
  const self = { campaignId: request.campaignId, publicKey: request.publicKey, clientId };
  const { hasContributed, settled, taken, live } = await shardsFor(transaction, self, { base, terms, now });
  checkRoundTakes(round, hasContributed);
  if (own && mayResume(own, base, taken, now)) return resume(transaction, own, asker);
  // An old lease opens no new one: whoever holds one that cannot go on is a newcomer.
  const noteLease = note ?? (await admit(transaction, request, address, now));
  if (request.source === 'shard') checkShardsLeft(settled, campaign.manifest);
  const awaited = live.filter((row) => !settled.all.has(row.shard_index));
  const trained = await trainedShards(transaction, request.campaignId, base);
  const shard = request.source === 'shard' ? nextShard(campaign, taken, trained, awaited, now) : null;
  const client = newClient(request, clientId, campaign, shard, now);
  const row: LeaseRow = {
    lease_id: client.leaseId,
    campaign_id: request.campaignId,
    public_key: request.publicKey,
    source: request.source,
    shard_index: client.shardIndex,
    base_version: base,
    expires_at: now + campaign.manifest.lease.ttlMs,
    ended: null,
    ...clientColumns(client),
  };
  await transaction.insertInto('leases').values(row).execute();
  await noteLease(row.lease_id);
  const told = { resumed: false, base: await baseOf(transaction, campaign, base) };
  return { lease: leaseOf(row, client, campaign, told), client };
}

/** The row of a lease, whether it is alive or not. */
export async function findLease(db: LedgerDatabase, leaseId: string): Promise<LeaseRow | undefined> {
  return db.selectFrom('leases').selectAll().where('lease_id', '=', leaseId).executeTakeFirst();
}

async function resume(
  transaction: LedgerDatabase,
  row: LeaseRow,
  { campaign, now, newest }: Asker,
): Promise<HeldLease> {
  const before = newest(row);
  const told = { resumed: true, base: await baseOf(transaction, campaign, row.base_version) };
  if (row.ended === 'spent') return { lease: leaseOf(row, before, campaign, told), client: before };
  const client = entered(before, before.phase === 'gone' ? 'joined' : before.phase, now);
  const changes = { ended: null, expires_at: now + campaign.manifest.lease.ttlMs, ...clientColumns(client) };
  await transaction.updateTable('leases').set(changes).where('lease_id', '=', row.lease_id).execute();
  return { lease: leaseOf({ ...row, ...changes }, client, campaign, told), client };
}

/** What a lease of many rounds says of the version that it is trained from. */
async function baseOf(db: LedgerDatabase, { manifest }: CampaignDefinition, version: number): Promise<Lease['base']> {
  return manifest.rounds && { version, values: await valuesFile(db, manifest, version) };
}

/** The shards as one volunteer meets them in the round that began at `base`. `taken`: not to be had now. */
async function shardsFor(
  db: LedgerDatabase,
  { campaignId, publicKey, clientId }: { campaignId: string; publicKey: string; clientId: string },
  { base, terms, now }: { base: number; terms: CampaignTerms; now: number },
) {
  const counted = await countedContributions(db, campaignId).where('base_version', '=', base).execute();
  const standing = await standingContributions(db, campaignId).where('base_version', '=', base).execute();
  const live = await liveShards(db, campaignId, base, now);
  const held = [
    ...counted.map((row) => ({ shardIndex: row.shard_index, isOwn: row.client_id === clientId })),
    ...live.map((row) => ({ shardIndex: row.shard_index, isOwn: row.public_key === publicKey })),
  ];
  const { clientsPerShard } = terms;
  const settled = settledShards({ counted, standing }, { clientId, clientsPerShard });
  const taken = new Set([...takenShards(held, clientsPerShard), ...settled.all]);
  return { hasContributed: counted.some((row) => row.client_id === clientId), settled, taken, live };
}

/** The campaign's shards under a lease that may still contribute to the round that began at `base`. */
function liveShards(db: LedgerDatabase, campaignId: string, base: number, now: number) {
  return db
    .selectFrom('leases')
    .select(['shard_index', 'public_key', 'expires_at'])
    .where('campaign_id', '=', campaignId)
    .where('base_version', '=', base)
    .where('ended', 'is', null)
    .where('expires_at', '>', now)
    .where('shard_index', 'is not', null)
    .$narrowType<{ shard_index: number }>()
    .execute();
}
