/** The one change that a contribution's row sees: which version is the first to hold it. */
import { inParts } from './in-parts.ts';
import type { LedgerDatabase } from './open-database.ts';

/** Marks contributions as folded, for the first time. @throws Error when one is already, or was withdrawn */
export async function markFolded(
  transaction: LedgerDatabase,
  campaignId: string,
  ids: readonly string[],
  version: number,
): Promise<void> {
  if (ids.length === 0) return;
  const withdrawn = transaction
    .selectFrom('withdrawals')
    .select('contribution_id')
    .where('campaign_id', '=', campaignId);
  let marked = 0n;
  for (const some of inParts(ids)) {
    const { numUpdatedRows } = await transaction
      .updateTable('contributions')
      .set({ folded_version: version })
      .where('contribution_id', 'in', some)
      .where('folded_version', 'is', null)
      .where('contribution_id', 'not in', withdrawn)
      .executeTakeFirst();
    marked += numUpdatedRows;
  }
  if (marked !== BigInt(ids.length)) throw new Error('the ledger changed during the fold');
}
