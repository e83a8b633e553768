/** Which blobs something still needs: a blob may be shared by campaigns, so it goes with the last of them. */
import { campaignDefinitionSchema } from '../campaign/index.ts';
import type { LedgerDatabase } from './open-database.ts';

/** Those of `hashes` that no campaign's files, held-out records, contributions, uploads or snapshots name. */
export async function unreferencedBlobs(db: LedgerDatabase, hashes: readonly string[]): Promise<string[]> {
  if (hashes.length === 0) return [];
  const needed = new Set<string>();
  for (const table of ['files', 'contributions', 'snapshots', 'uploads'] as const) {
    const rows = await db.selectFrom(table).select('sha256').where('sha256', 'in', hashes).distinct().execute();
    for (const { sha256 } of rows) needed.add(sha256);
  }
  for (const { definition } of await db.selectFrom('campaigns').select('definition').execute()) {
    needed.add(campaignDefinitionSchema.parse(JSON.parse(definition)).heldOutSha256);
  }
  return [...new Set(hashes)].filter((sha256) => !needed.has(sha256));
}
