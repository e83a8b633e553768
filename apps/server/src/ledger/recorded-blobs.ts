/** Blobs that a campaign's rows name, read to be used: one that is not as recorded is told with whose it is. */
import { BlobFault, type Blobs } from './blobs.ts';
import type { LedgerDatabase } from './open-database.ts';

/** Where the rows and the blobs are. */
export interface RecordedStore {
  db: LedgerDatabase;
  blobs: Blobs;
}

/** Something that the ledger says is not so; nothing was made of it. The message names it, and what the operator can do. */
export class LedgerFault extends Error {
  constructor(owner: string, problem: string) {
    super(
      `${owner}: ${problem}. The ledger cannot go on from it: let \`oneround verify\` say what else is wrong, and put it back from a backup.`,
    );
    this.name = 'LedgerFault';
  }
}

/** How this campaign's blobs are read. The function throws LedgerFault for one that is missing or has other bytes. */
export function recordedBlobs(
  { db, blobs }: RecordedStore,
  campaignId: string,
): (sha256: string) => Promise<Uint8Array> {
  return async (sha256) => {
    try {
      return await blobs.read(sha256);
    } catch (error) {
      if (!(error instanceof BlobFault)) throw error;
      throw new LedgerFault(`campaign ${campaignId}: ${await ownerOf(db, campaignId, sha256)}`, error.message);
    }
  };
}

async function ownerOf(db: LedgerDatabase, campaignId: string, sha256: string): Promise<string> {
  const contribution = await db
    .selectFrom('contributions')
    .select(['sequence', 'contribution_id'])
    .where('campaign_id', '=', campaignId)
    .where('sha256', '=', sha256)
    .executeTakeFirst();
  if (contribution) return `contribution #${contribution.sequence} (${contribution.contribution_id})`;
  const snapshot = await db
    .selectFrom('snapshots')
    .select('version')
    .where('campaign_id', '=', campaignId)
    .where('sha256', '=', sha256)
    .executeTakeFirst();
  if (snapshot) return `the snapshot of version ${snapshot.version}`;
  const file = await db
    .selectFrom('files')
    .select('path')
    .where('campaign_id', '=', campaignId)
    .where('sha256', '=', sha256)
    .executeTakeFirst();
  return file?.path ?? 'a file of its own';
}
