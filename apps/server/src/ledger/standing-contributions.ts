/** The contributions that count. */
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

/** Those of them that the screens have not set aside: what is merged, or will be at the next fold. */
export function countedContributions(db: LedgerDatabase, campaignId: string) {
  return standingContributions(db, campaignId).where('contribution_id', 'not in', quarantined(db));
}

/** The ids of contributions whose last verdict is to keep them out, of all campaigns, as a query. */
export function quarantined(db: LedgerDatabase) {
  return db
    .selectFrom('verdicts')
    .select('contribution_id')
    .where('verdict', '=', 'quarantined')
    .where((row) =>
      row.not(
        row.exists(
          row
            .selectFrom('verdicts as later')
            .select('later.sequence')
            .whereRef('later.contribution_id', '=', 'verdicts.contribution_id')
            .whereRef('later.sequence', '>', 'verdicts.sequence'),
        ),
      ),
    );
}
