/** What a lease is and who gets one, given the rows: no database here. */
import { randomUUID } from 'node:crypto';
import { Refusal, type ClientPhase, type ClientRow, type JoinRequest, type Lease } from '@oneround/fl-core';
import type { Selectable } from 'kysely';
import type { CampaignDefinition, DataShard } from '../campaign/index.ts';
import type { LedgerTables } from './schema.ts';

export type LeaseRow = Selectable<LedgerTables['leases']>;

/** The refusal of a second contribution under one lease. */
export function leaseSpent(): Refusal {
  return new Refusal('lease_spent', 'This lease already has its contribution; join again for another shard.');
}

/** True while its holder may contribute. */
export function isLive(row: LeaseRow, now: number): boolean {
  return row.ended === null && row.expires_at > now;
}

/**
 * Shards that the asker cannot have: as many clients as the campaign wants have contributed or are training them, or the
 * asker is one of those.
 */
export function takenShards(
  held: readonly { shardIndex: number | null; isOwn: boolean }[],
  clientsPerShard: number,
): Set<number> {
  const counts = new Map<number, number>();
  for (const { shardIndex, isOwn } of held) {
    if (shardIndex !== null) counts.set(shardIndex, (counts.get(shardIndex) ?? 0) + (isOwn ? clientsPerShard : 1));
  }
  return new Set([...counts].filter(([, count]) => count >= clientsPerShard).map(([index]) => index));
}

/** True for the holder of a lease of this campaign. */
export function isHolder(row: LeaseRow, { campaignId, publicKey, source }: JoinRequest): boolean {
  return row.campaign_id === campaignId && row.public_key === publicKey && row.source === source;
}

/** For its holder. `base`: what is trained from now. `taken`: shards that are contributed or under live leases. */
export function mayResume(row: LeaseRow, base: number, taken: ReadonlySet<number>, now: number): boolean {
  const { shard_index, base_version } = row;
  return base_version === base && (isLive(row, now) || shard_index === null || !taken.has(shard_index));
}

/**
 * Of the free shards the one that earlier rounds trained on least, and of several such the lowest.
 * @param trained how often, by shard; those that never were need not be there
 * @throws Refusal `no_shard_free`
 */
export function nextShard(
  { shards }: CampaignDefinition,
  taken: ReadonlySet<number>,
  trained: ReadonlyMap<number, number>,
  live: readonly { expires_at: number }[],
  now: number,
): DataShard {
  const times = ({ index }: DataShard) => trained.get(index) ?? 0;
  const [free] = shards.filter(({ index }) => !taken.has(index)).toSorted((a, b) => times(a) - times(b));
  if (free) return free;
  const seconds = Math.ceil((Math.min(...live.map((row) => row.expires_at)) - now) / 1000);
  throw new Refusal(
    'no_shard_free',
    `No shard is free: ${live.length} being trained. If a volunteer leaves, one is free in ${seconds} s at the earliest.`,
  );
}

/** A participation that begins. */
export function newClient(
  request: JoinRequest,
  clientId: string,
  campaign: CampaignDefinition,
  shard: DataShard | null,
  now: number,
): ClientRow {
  return {
    leaseId: randomUUID(),
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
}

/** A client as its lease's row holds it. */
export function clientColumns(client: ClientRow) {
  const { joinedAt, phase, refusal, contributionId } = client;
  const refused: 0 | 1 = refusal !== null && contributionId === null ? 1 : 0;
  return { client: JSON.stringify(client), joined_at: joinedAt, phase, refused };
}

/** The client in its next phase; unchanged when that is the one it is in. */
export function entered(client: ClientRow, phase: ClientPhase, now: number): ClientRow {
  if (phase === client.phase) return client;
  return { ...client, phase, phases: [...client.phases, { phase, at: now }] };
}

/** The lease as it is told to its holder; `base` in a campaign of many rounds. */
export function leaseOf(
  row: LeaseRow,
  client: ClientRow,
  { shards }: CampaignDefinition,
  { resumed, base }: Pick<Lease, 'resumed' | 'base'>,
): Lease {
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
    ...(base && { base }),
    expiresAt: row.expires_at,
    resumed,
  };
}

/** What a contribution on this shard weighs, or may weigh at most when its data is the volunteer's own (null). */
export function maxLabelTokens(shards: readonly DataShard[], shardIndex: number | null): number {
  if (shardIndex !== null) return shards[shardIndex]!.labelTokens;
  return shards.reduce((sum, { labelTokens }) => sum + labelTokens, 0);
}

/** What a participation trains on, in a line of the log. */
export function shardName({ shardIndex }: ClientRow): string {
  return shardIndex === null ? 'data of their own' : `shard ${shardIndex}`;
}
