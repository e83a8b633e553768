/** Reads one campaign file in a thread of its own, while the ledger's goes on: it is computing and waiting for the disk. */
import { Refusal } from '@oneround/fl-core';
import { CampaignFileError, loadCampaign, type LoadedCampaign } from '../campaign/index.ts';
import { serveCalls, threadData } from '../threads/thread.ts';
import { asRefusal } from './database-errors.ts';
import { FileBlobs } from './file-blobs.ts';
import { openPresentDatabase } from './open-database.ts';
import { PostgresBlobs } from './postgres-blobs.ts';
import type { LedgerPlace } from './verify-thread.ts';

export interface LoadOptions extends LedgerPlace {
  /** The campaign file. */
  path: string;
}

export interface Loader {
  /** As `loadCampaign`. @throws Refusal `bad_campaign_file`, `storage_full`, `unavailable` */
  load(): Promise<LoadedCampaign>;
}

const { dataDir, databaseUrl, path } = threadData<LoadOptions>();
const files = new FileBlobs(dataDir);

serveCalls(
  {
    async load() {
      if (databaseUrl === undefined) return loadCampaign(path, files);
      const database = await openPresentDatabase(dataDir, databaseUrl);
      try {
        return await loadCampaign(path, new PostgresBlobs(database, files));
      } finally {
        await database.destroy();
      }
    },
  } satisfies Loader,
  (error) => (error instanceof CampaignFileError ? new Refusal('bad_campaign_file', error.message) : asRefusal(error)),
);
