/** The counts that go with every update: worked out by the database, never by reading the rows that they count. */
import { sql } from 'kysely';
import type { CampaignDefinition } from '../campaign/index.ts';
import { readLife } from './campaign-life.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { LedgerCounts } from './outcome.ts';
import { readRound, type RoundStanding } from './rounds.ts';
import { countedContributions, quarantined, standingContributions } from './standing-contributions.ts';

/** @param now on the clock that leases end by. @throws Refusal `unknown_campaign` */
export async function countCampaign(
  db: LedgerDatabase,
  { manifest, shards, weightsBytes }: CampaignDefinition,
  now: number,
): Promise<LedgerCounts> {
  const { id } = manifest;
  const { status, terms } = await readLife(db, id);
  const standing = await readRound(db, manifest);
  const { uploads, bytes } = await db
    .selectFrom('contributions')
    .select((row) => [row.fn.countAll<number>().as('uploads'), row.fn.sum<number | null>('bytes').as('bytes')])
    .where('campaign_id', '=', id)
    .executeTakeFirstOrThrow();
  const { withdrawn } = await db
    .selectFrom('withdrawals')
    .select((row) => row.fn.countAll<number>().as('withdrawn'))
    .where('campaign_id', '=', id)
    .executeTakeFirstOrThrow();
  const { merged } = await countedContributions(db, id)
    .clearSelect()
    .select((row) => row.fn.countAll<number>().as('merged'))
    .where('folded_version', 'is not', null)
    .executeTakeFirstOrThrow();
  const { aside } = await standingContributions(db, id)
    .clearSelect()
    .select((row) => row.fn.countAll<number>().as('aside'))
    .where('contribution_id', 'in', quarantined(db))
    .executeTakeFirstOrThrow();
  const { versions } = await db
    .selectFrom('versions')
    .select((row) => row.fn.countAll<number>().as('versions'))
    .where('campaign_id', '=', id)
    .executeTakeFirstOrThrow();
  return {
    status,
    shards: { total: shards.length, ...(await countShards(db, id, { standing, now, ...terms })) },
    ...(standing.round && { round: standing.round }),
    totals: {
      ...(await countClients(db, id)),
      contributions: uploads,
      merged,
      withdrawn,
      quarantined: aside,
      versions,
    },
    bytesUp: Number(bytes ?? 0),
    bytesUpAllWeights: uploads * weightsBytes,
  };
}

/** Shards that somebody trains, and those with as many contributions as the campaign wants of each, in this round. */
async function countShards(
  db: LedgerDatabase,
  campaignId: string,
  { standing, clientsPerShard, now }: { standing: RoundStanding; clientsPerShard: number; now: number },
) {
  const { base, round } = standing;
  const { leased } = await db
    .selectFrom('leases')
    .select((row) => row.fn.count<number>('shard_index').distinct().as('leased'))
    .where('campaign_id', '=', campaignId)
    .where('base_version', '=', base)
    .where('ended', 'is', null)
    .where('expires_at', '>', now)
    .executeTakeFirstOrThrow();
  const full = countedContributions(db, campaignId)
    .clearSelect()
    .select('shard_index')
    .where('shard_index', 'is not', null)
    .where('base_version', '=', round === null ? 0 : round.number - 1)
    .groupBy('shard_index')
    .having((row) => row.fn.countAll(), '>=', clientsPerShard);
  const { contributed } = await db
    .selectFrom(full.as('full'))
    .select((row) => row.fn.countAll<number>().as('contributed'))
    .executeTakeFirstOrThrow();
  return { leased, contributed };
}

async function countClients(db: LedgerDatabase, campaignId: string) {
  const { clients, training, refused } = await db
    .selectFrom('leases')
    .select((row) => [
      row.fn.countAll<number>().as('clients'),
      sql<number>`count(case when phase = 'training' then 1 end)`.as('training'),
      row.fn.sum<number | null>('refused').as('refused'),
    ])
    .where('campaign_id', '=', campaignId)
    .executeTakeFirstOrThrow();
  return { clients, training, refused: Number(refused ?? 0) };
}
