/** Which blobs something still needs: a blob may be shared by campaigns, so it goes with the last of them. */
import { campaignDefinitionSchema } from '../campaign/index.ts';
import type { FileBlobs } from './file-blobs.ts';
import type { LedgerDatabase } from './open-database.ts';

/** Hashes asked for in one query. */
const ASKED_AT_ONCE = 500;

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

/**
 * Drops what a server left that died in the middle of deleting, and copies of what another server has deleted: blobs that
 * nothing names, parts of no upload. Only for a data directory that nobody else writes to, while it holds no blob whose row
 * is still to come.
 */
export async function dropLeftovers(db: LedgerDatabase, files: FileBlobs): Promise<void> {
  const { blobs, parts } = files.list();
  for (let at = 0; at < blobs.length; at += ASKED_AT_ONCE) {
    for (const sha256 of await unreferencedBlobs(db, blobs.slice(at, at + ASKED_AT_ONCE))) await files.drop(sha256);
  }
  const uploads = await db.selectFrom('uploads').select('contribution_id').execute();
  const begun = new Set(uploads.map(({ contribution_id }) => contribution_id));
  for (const part of parts) if (!begun.has(part)) await files.dropPart(part);
}
