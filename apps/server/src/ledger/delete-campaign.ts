/** Deletes a campaign for good: its rows, its uploads, and the blobs that no other campaign names. */
import type { CampaignDefinition } from '../campaign/index.ts';
import { unreferencedBlobs } from './blob-references.ts';
import type { Blobs } from './blobs.ts';
import type { LedgerDatabase } from './open-database.ts';

const tablesOfCampaigns = [
  ...(['contributions', 'withdrawals', 'verdicts', 'versions', 'snapshots', 'evaluations', 'uploads'] as const),
  ...(['leases', 'addresses', 'invites', 'files', 'log'] as const),
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
  for (const table of ['files', 'contributions', 'snapshots', 'uploads'] as const) {
    const rows = await db.selectFrom(table).select('sha256').where('campaign_id', '=', id).execute();
    for (const { sha256 } of rows) hashes.add(sha256);
  }
  const uploads = await db.selectFrom('uploads').select('contribution_id').where('campaign_id', '=', id).execute();
  await db.transaction().execute(async (transaction) => {
    // First, since rows of the chain stay while their campaign is there.
    await transaction.deleteFrom('campaigns').where('id', '=', id).execute();
    for (const table of tablesOfCampaigns) {
      await transaction.deleteFrom(table).where('campaign_id', '=', id).execute();
    }
  });
  for (const { contribution_id } of uploads) await blobs.dropPart(contribution_id);
  for (const sha256 of await unreferencedBlobs(db, [...hashes])) await blobs.drop(sha256);
}
