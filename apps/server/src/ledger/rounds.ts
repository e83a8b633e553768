/** How far a campaign of many rounds is, by its rows; a campaign of one round is at version 0 for good. */
import { type FileRef, type Manifest, Refusal, type RoundProgress, staleRound } from '@oneround/fl-core';
import type { LedgerDatabase } from './open-database.ts';
import { standingContributions } from './standing-contributions.ts';

/** Where a campaign stands: what is trained from now, and the round that this makes, if there are rounds. */
export interface RoundStanding {
  /** The version that contributions are counted from: the newest, or 0 in one round. */
  base: number;
  round: RoundProgress | null;
}

/** Reads it; two reads in one transaction agree when the campaign is locked. */
export async function readRound(db: LedgerDatabase, { id, rounds }: Manifest): Promise<RoundStanding> {
  if (!rounds) return { base: 0, round: null };
  const base = await newestVersion(db, id);
  const number = Math.min(base + 1, rounds.count);
  // After the last round its contributions are shown, as those of any that is over and still the newest.
  const contributed = await countRound(db, id, number - 1);
  return { base, round: { number, count: rounds.count, contributed, needed: rounds.contributions } };
}

/** How many contributions stand in the round that began at `base`. */
export async function countRound(db: LedgerDatabase, campaignId: string, base: number): Promise<number> {
  const { contributed } = await standingContributions(db, campaignId)
    .where('base_version', '=', base)
    .clearSelect()
    .select((row) => row.fn.countAll<number>().as('contributed'))
    .executeTakeFirstOrThrow();
  return Number(contributed);
}

async function newestVersion(db: LedgerDatabase, campaignId: string): Promise<number> {
  const { version } = await db
    .selectFrom('versions')
    .select((row) => row.fn.max('version').as('version'))
    .where('campaign_id', '=', campaignId)
    .executeTakeFirstOrThrow();
  return Number(version);
}

/** True when all rounds are over. */
export function isLastRoundOver({ base, round }: RoundStanding): boolean {
  return round !== null && base >= round.count;
}

/**
 * @param hasContributed whether the asker's contribution to this round stands
 * @throws Refusal `campaign_closed` after the last round; `no_shard_free` when the asker has to wait for the next one
 */
export function checkRoundTakes(standing: RoundStanding, hasContributed: boolean): void {
  const { round } = standing;
  if (!round) return;
  const { number, count, contributed, needed } = round;
  if (isLastRoundOver(standing)) {
    throw new Refusal('campaign_closed', `All ${count} rounds of this campaign are over. Thank you for coming.`);
  }
  if (contributed >= needed) {
    throw new Refusal('no_shard_free', `Round ${number} of ${count} has its contributions; it is being merged.`);
  }
  if (!hasContributed) return;
  const missing = needed - contributed;
  const others = missing === 1 ? 'one more has' : `${missing} more have`;
  throw new Refusal(
    'no_shard_free',
    `Your contribution to round ${number} of ${count} is in. The round ends when ${others} come.`,
  );
}

/**
 * @param base what a contribution is counted from
 * @throws Refusal `stale_round` unless it may still be taken into the round that began there
 */
export function checkRoundIsOpen(standing: RoundStanding, base: number): void {
  const { round } = standing;
  if (!round) return;
  if (standing.base !== base || round.contributed >= round.needed) throw staleRound(base);
}

/** How many contributions stand from each shard of the rounds before the one that began at `base`; none in the first. */
export async function trainedShards(
  db: LedgerDatabase,
  campaignId: string,
  base: number,
): Promise<Map<number, number>> {
  if (base === 0) return new Map();
  const rows = await standingContributions(db, campaignId)
    .where('base_version', '<', base)
    .where('shard_index', 'is not', null)
    .clearSelect()
    .select((row) => ['shard_index', row.fn.countAll<number>().as('times')])
    .groupBy('shard_index')
    .$narrowType<{ shard_index: number }>()
    .execute();
  return new Map(rows.map(({ shard_index, times }) => [shard_index, Number(times)]));
}

/** The path of a version's values among a campaign's files. */
export const valuesPath = (version: number | '%') => `versions/${version}.f32`;

/** The file of a version's values; null for the start, which the manifest says. @throws Error when there is no such version */
export async function valuesFile(
  db: LedgerDatabase,
  { id, layout }: Manifest,
  version: number,
): Promise<FileRef | null> {
  if (version === 0) return null;
  const { sha256 } = await db
    .selectFrom('versions')
    .select('sha256')
    .where('campaign_id', '=', id)
    .where('version', '=', version)
    .executeTakeFirstOrThrow();
  return { path: valuesPath(version), bytes: layout.size * Float32Array.BYTES_PER_ELEMENT, sha256 };
}

/** Versions whose values are not kept: earlier releases of this server kept those of the last few rounds alone. */
export async function archivedVersions(db: LedgerDatabase, { id, rounds }: Manifest): Promise<Set<number>> {
  if (!rounds) return new Set();
  const versions = await db.selectFrom('versions').select('version').where('campaign_id', '=', id).execute();
  const files = await db
    .selectFrom('files')
    .select('path')
    .where('campaign_id', '=', id)
    .where('path', 'like', valuesPath('%'))
    .execute();
  const kept = new Set(files.map(({ path }) => path));
  const archived = versions.filter(({ version }) => version > 0 && !kept.has(valuesPath(version)));
  return new Set(archived.map(({ version }) => version));
}
