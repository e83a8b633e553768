/** The contributions that count: those that were not withdrawn. */
import type { LedgerDatabase } from './open-database.ts';

/** A campaign's contributions that were not withdrawn, as a query. */
export function standingContributions(db: LedgerDatabase, campaignId: string) {
  const withdrawn = db.selectFrom('withdrawals').select('contribution_id').where('campaign_id', '=', campaignId);
  return db
    .selectFrom('contributions')
    .select(['contribution_id', 'shard_index', 'client_id'])
    .where('campaign_id', '=', campaignId)
    .where('contribution_id', 'not in', withdrawn);
}
