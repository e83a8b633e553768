/** What became of a contribution, for whoever made it: which version holds it, or why none does. */
import { evaluationSchema, type Manifest, type MergeOutcome, type RoundSettings } from '@oneround/fl-core';
import { readLife } from './campaign-life.ts';
import type { LedgerDatabase } from './open-database.ts';
import { countRound } from './rounds.ts';
import { quarantined } from './standing-contributions.ts';

/** Null when the campaign has no such contribution. */
export async function readMergeOutcome(
  db: LedgerDatabase,
  { id, rounds }: Pick<Manifest, 'id' | 'rounds'>,
  contributionId: string,
): Promise<MergeOutcome | null> {
  const row = await db
    .selectFrom('contributions as c')
    .leftJoin('withdrawals as w', 'w.contribution_id', 'c.contribution_id')
    .select(['c.folded_version', 'c.base_version', 'w.withdrawn_at'])
    .where('c.campaign_id', '=', id)
    .where('c.contribution_id', '=', contributionId)
    .executeTakeFirst();
  if (!row) return null;
  if (row.withdrawn_at !== null) return { state: 'withdrawn' };
  const aside = await quarantined(db).where('contribution_id', '=', contributionId).executeTakeFirst();
  if (aside) return { state: 'set-aside' };
  if (row.folded_version !== null) return readMerged(db, id, row.folded_version);
  const isLeftOver = rounds !== undefined && (await isCutShort(db, id, rounds, row.base_version));
  return { state: isLeftOver ? 'left-over' : 'waiting' };
}

async function readMerged(db: LedgerDatabase, campaignId: string, version: number): Promise<MergeOutcome> {
  const scored = await db
    .selectFrom('evaluations')
    .select(['subject', 'result'])
    .where('campaign_id', '=', campaignId)
    .where('kind', '=', 'version')
    .where('subject', 'in', [String(version - 1), String(version)])
    .execute();
  const lossOf = (number: number) => {
    const result = scored.find(({ subject }) => subject === String(number))?.result;
    return result === undefined ? null : evaluationSchema.parse(JSON.parse(result)).loss;
  };
  return { state: 'merged', version, before: lossOf(version - 1), after: lossOf(version) };
}

/**
 * True of a round that will never end: its campaign closed before it had all it wanted. Once a campaign is seen to close, no
 * round of it gets any more; so it is counted after that, and what is true then stays true.
 */
async function isCutShort(
  db: LedgerDatabase,
  campaignId: string,
  { contributions }: RoundSettings,
  base: number,
): Promise<boolean> {
  const { status } = await readLife(db, campaignId);
  if (status !== 'closing' && status !== 'closed') return false;
  return (await countRound(db, campaignId, base)) < contributions;
}
