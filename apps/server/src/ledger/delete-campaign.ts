/** Deletes a campaign for good: its rows, its uploads, and the blobs that no other campaign names. */
import type { CampaignDefinition } from '../campaign/index.ts';
import type { Blobs } from './blobs.ts';
import type { LedgerDatabase } from './open-database.ts';

const tablesWithBlobs = ['files', 'contributions', 'snapshots', 'uploads'] as const;
const tablesWithout = [
  ...(['withdrawals', 'verdicts', 'versions', 'evaluations'] as const),
  ...(['leases', 'addresses', 'invites', 'log'] as const),
];

/**
 * The rows go in one transaction; blobs that are left over by a crash right after it are named by nothing.
 * @param definition where it can be read: it names the held-out data
 */
export async function deleteCampaign(
  db: LedgerDatabase,
  blobs: Blobs,
  id: string,
  definition?: CampaignDefinition,
): Promise<void> {
  const hashes = new Set(definition && [definition.heldOutSha256]);
  const uploads = await db.transaction().execute(async (transaction) => {
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
    for (const table of tablesWithout) {
      await transaction.deleteFrom(table).where('campaign_id', '=', id).execute();
    }
    return begun;
  });
  for (const { contribution_id } of uploads) await blobs.dropPart(contribution_id);
  await blobs.dropUnnamed([...hashes], db);
}
