/** The counts that go with every update: worked out by the database, never by reading the rows that they count. */
import { sql, type SelectQueryBuilder } from 'kysely';
import type { CampaignDefinition } from '../campaign/index.ts';
import { readLife } from './campaign-life.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { LedgerCounts } from './outcome.ts';
import { readRound } from './rounds.ts';
import type { LedgerTables } from './schema.ts';
import { countShards, givenUpShards } from './shard-counts.ts';
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
  const counted = countedContributions(db, id).where('folded_version', 'is not', null);
  const aside = standingContributions(db, id).where('contribution_id', 'in', quarantined(db));
  // On Postgres each waits for an answer: they wait together.
  const [{ uploads, bytes }, merged, setAside, withdrawn, versions, held, givenUp, clients] = await Promise.all([
    countUploads(db, id),
    countOf(counted.clearSelect()),
    countOf(aside.clearSelect()),
    countOf(db.selectFrom('withdrawals').where('campaign_id', '=', id)),
    countOf(db.selectFrom('versions').where('campaign_id', '=', id)),
    countShards(db, id, { standing, now, ...terms }),
    givenUpShards(db, id, { standing, now, ...terms }),
    countClients(db, id),
  ]);
  return {
    status,
    shards: { total: shards.length, ...held, givenUp: givenUp.length },
    ...(standing.round && { round: standing.round }),
    totals: { ...clients, contributions: uploads, merged, withdrawn, quarantined: setAside, versions },
    bytesUp: Number(bytes ?? 0),
    bytesUpAllWeights: uploads * weightsBytes,
  };
}

async function countOf<Table extends keyof LedgerTables>(
  rows: SelectQueryBuilder<LedgerTables, Table, object>,
): Promise<number> {
  const { count } = await rows.select((row) => row.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  return count;
}

async function countUploads(db: LedgerDatabase, campaignId: string) {
  return db
    .selectFrom('contributions')
    .select((row) => [row.fn.countAll<number>().as('uploads'), row.fn.sum<number | null>('bytes').as('bytes')])
    .where('campaign_id', '=', campaignId)
    .executeTakeFirstOrThrow();
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
