/** Whether a contribution may still be withdrawn. */
import { Refusal } from '@oneround/fl-core';
import type { LedgerDatabase } from './open-database.ts';
import { standingContributions } from './standing-contributions.ts';

/**
 * @returns the version that held the contribution first; null when none did
 * @throws Refusal `unknown_contribution`, `already_withdrawn`
 */
export async function findWithdrawable(
  db: LedgerDatabase,
  campaignId: string,
  contributionId: string,
): Promise<number | null> {
  const contribution = await db
    .selectFrom('contributions')
    .select('folded_version')
    .where('contribution_id', '=', contributionId)
    .where('campaign_id', '=', campaignId)
    .executeTakeFirst();
  if (!contribution) {
    throw new Refusal('unknown_contribution', `The campaign "${campaignId}" has no contribution ${contributionId}.`);
  }
  const standing = await standingContributions(db, campaignId)
    .where('contribution_id', '=', contributionId)
    .executeTakeFirst();
  if (!standing) throw new Refusal('already_withdrawn', `The contribution ${contributionId} was withdrawn before.`);
  return contribution.folded_version;
}
