/** How far a campaign's shards are, counted by the database. */
import type { LedgerDatabase } from './open-database.ts';
import type { RoundStanding } from './rounds.ts';
import { SPARE } from './shard-supply.ts';
import { countedContributions, quarantined, standingContributions } from './standing-contributions.ts';

interface Moment {
  standing: RoundStanding;
  clientsPerShard: number;
  /** On the clock that leases end by. */
  now: number;
}

/** Shards that somebody trains, and those with as many contributions as the campaign wants of each, in this round. */
export async function countShards(db: LedgerDatabase, campaignId: string, moment: Moment) {
  const { leased } = await liveLeases(db, campaignId, moment)
    .select((row) => row.fn.count<number>('shard_index').distinct().as('leased'))
    .executeTakeFirstOrThrow();
  const { contributed } = await db
    .selectFrom(fullShards(db, campaignId, moment).as('full'))
    .select((row) => row.fn.countAll<number>().as('contributed'))
    .executeTakeFirstOrThrow();
  return { leased, contributed };
}

/**
 * Shards that are given out no more although they lack contributions, with how many they have: what else was sent for them
 * was set aside too often. One that somebody still trains is not yet among them.
 */
export async function givenUpShards(db: LedgerDatabase, campaignId: string, moment: Moment) {
  const trained = liveLeases(db, campaignId, moment).select('shard_index').where('shard_index', 'is not', null);
  const rows = await standingContributions(db, campaignId)
    .clearSelect()
    .select((row) => [
      'shard_index',
      row.fn.countAll<number>().as('sent'),
      row.fn
        .sum<number>(row.case().when('contribution_id', 'in', quarantined(db)).then(1).else(0).end())
        .as('set_aside'),
    ])
    .where('shard_index', 'is not', null)
    .where('base_version', '=', baseOf(moment))
    .where('shard_index', 'not in', trained)
    .where('shard_index', 'not in', fullShards(db, campaignId, moment))
    .groupBy('shard_index')
    .having((row) => row.fn.countAll(), '>=', moment.clientsPerShard + SPARE)
    .execute();
  return rows.map(({ sent, set_aside }) => ({ contributed: sent - Number(set_aside) }));
}

/**
 * How many contributions given-up shards are short of, once no other shard is left either: those never come. Else 0.
 * @param total how many shards there are
 */
export async function missingForGood(
  db: LedgerDatabase,
  campaignId: string,
  moment: Moment,
  total: number,
): Promise<number> {
  const givenUp = await givenUpShards(db, campaignId, moment);
  if (givenUp.length === 0) return 0;
  const { leased, contributed } = await countShards(db, campaignId, moment);
  if (leased > 0 || givenUp.length + contributed < total) return 0;
  return givenUp.reduce((missing, shard) => missing + moment.clientsPerShard - shard.contributed, 0);
}

function liveLeases(db: LedgerDatabase, campaignId: string, { standing, now }: Moment) {
  return db
    .selectFrom('leases')
    .where('campaign_id', '=', campaignId)
    .where('base_version', '=', standing.base)
    .where('ended', 'is', null)
    .where('expires_at', '>', now);
}

function fullShards(db: LedgerDatabase, campaignId: string, moment: Moment) {
  return countedContributions(db, campaignId)
    .clearSelect()
    .select('shard_index')
    .where('shard_index', 'is not', null)
    .where('base_version', '=', baseOf(moment))
    .groupBy('shard_index')
    .having((row) => row.fn.countAll(), '>=', moment.clientsPerShard);
}

/** What the contributions of the round that is shown are counted from: also after the last, whose version is newer. */
function baseOf({ standing: { round } }: Moment): number {
  return round === null ? 0 : round.number - 1;
}
