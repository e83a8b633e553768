/** Reads one campaign file in a thread of its own, while the ledger's goes on: it is computing and waiting for the disk. */
import { Refusal, type Manifest } from '@oneround/fl-core';
import { CampaignFileError, loadCampaign, type LoadedCampaign } from '../campaign/index.ts';
import { serveCalls, threadData } from '../threads/thread.ts';
import { BlobFault, type Blobs, type BlobStore } from './blobs.ts';
import { asRefusal } from './database-errors.ts';
import { FileBlobs } from './file-blobs.ts';
import { firstVersionOf, type FirstVersion } from './first-version.ts';
import { openPresentDatabase, type LedgerDatabase } from './open-database.ts';
import { PostgresBlobs } from './postgres-blobs.ts';
import type { LedgerPlace } from './verify-thread.ts';

export interface LoadOptions extends LedgerPlace {
  /** The campaign file. */
  path: string;
}

export interface Loader {
  /** As `loadCampaign`. @throws Refusal `bad_campaign_file`, `storage_full`, `unavailable` */
  load(): Promise<LoadedCampaign>;
  /** As `firstVersionOf`; null also when blobs were dropped since, with another campaign that had them. */
  firstVersion(manifest: Manifest): Promise<FirstVersion | null>;
}

const { dataDir, databaseUrl, path } = threadData<LoadOptions>();
const files = new FileBlobs(dataDir);

serveCalls(
  {
    load: () => withBlobs(loadOrDrop),
    firstVersion: (manifest) =>
      withBlobs((blobs) => firstVersionOf(manifest, (sha256) => blobs.read(sha256))).catch(nullWhenGone),
  } satisfies Loader,
  (error) => (error instanceof CampaignFileError ? new Refusal('bad_campaign_file', error.message) : asRefusal(error)),
);

/** What was stored for a file that turns out bad is dropped on Postgres; a data directory sets it aside at the next start. */
async function loadOrDrop(blobs: Blobs, database?: LedgerDatabase): Promise<LoadedCampaign> {
  const stored: string[] = [];
  const store: BlobStore = {
    async put(bytes) {
      const sha256 = await blobs.put(bytes);
      stored.push(sha256);
      return sha256;
    },
  };
  try {
    return await loadCampaign(path, store);
  } catch (error) {
    if (database && error instanceof CampaignFileError) await blobs.dropUnnamed(stored, database);
    throw error;
  }
}

async function withBlobs<Result>(use: (blobs: Blobs, database?: LedgerDatabase) => Promise<Result>): Promise<Result> {
  if (databaseUrl === undefined) return use(files);
  const database = await openPresentDatabase(dataDir, databaseUrl);
  try {
    return await use(new PostgresBlobs(database, files), database);
  } finally {
    await database.destroy();
  }
}

/** Then the file is read again. */
function nullWhenGone(error: unknown): null {
  if (error instanceof BlobFault) return null;
  throw error;
}
