/** Deletes a campaign: its rows, its uploads, and the blobs that no other campaign names. */
import type { CampaignDefinition } from '../campaign/index.ts';
import type { Blobs } from './blobs.ts';
import type { LedgerDatabase } from './open-database.ts';

const tablesWithBlobs = ['files', 'contributions', 'snapshots', 'uploads'] as const;
/** What belongs to a campaign's arithmetic, and what to its name as well, which another campaign may take over. */
const tablesOfArithmetic = ['withdrawals', 'verdicts', 'versions', 'evaluations', 'leases', 'addresses'] as const;
const tablesOfName = ['invites', 'log'] as const;

/** What rows that were deleted named. */
export interface LeftBehind {
  hashes: string[];
  /** Contribution ids. */
  uploads: string[];
}

/**
 * Deletes a campaign for good. Its rows go in one transaction; blobs that are left over by a crash right after it are named by
 * nothing.
 * @param definition where it can be read: it names the held-out data
 */
export async function deleteCampaign(
  db: LedgerDatabase,
  blobs: Blobs,
  id: string,
  definition?: CampaignDefinition,
): Promise<void> {
  const left = await db.transaction().execute(async (transaction) => {
    const found = await deleteArithmetic(transaction, id, definition);
    for (const table of tablesOfName) await transaction.deleteFrom(table).where('campaign_id', '=', id).execute();
    return found;
  });
  await dropLeftBehind(db, blobs, left);
}

/** Deletes the rows that meant this campaign and cannot mean another one under its id, in a transaction. */
export async function deleteArithmetic(
  transaction: LedgerDatabase,
  id: string,
  definition?: CampaignDefinition,
): Promise<LeftBehind> {
  const hashes = new Set(definition && [definition.heldOutSha256]);
  // First, since rows of the chain stay while their campaign is there.
  await transaction.deleteFrom('campaigns').where('id', '=', id).execute();
  const begun = await transaction
    .selectFrom('uploads')
    .select('contribution_id')
    .where('campaign_id', '=', id)
    .execute();
  for (const table of tablesWithBlobs) {
    const rows = await transaction.deleteFrom(table).where('campaign_id', '=', id).returning('sha256').execute();
    for (const { sha256 } of rows) hashes.add(sha256);
  }
  for (const table of tablesOfArithmetic) {
    await transaction.deleteFrom(table).where('campaign_id', '=', id).execute();
  }
  return { hashes: [...hashes], uploads: begun.map(({ contribution_id }) => contribution_id) };
}

/** Drops what nothing names any more. */
export async function dropLeftBehind(db: LedgerDatabase, blobs: Blobs, { hashes, uploads }: LeftBehind): Promise<void> {
  for (const contributionId of uploads) await blobs.dropPart(contributionId);
  await blobs.dropUnnamed(hashes, db);
}
