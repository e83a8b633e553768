/** Reads campaign files in a thread of its own, while the ledger's goes on: it is computing and waiting for the disk. */
import { statfsSync } from 'node:fs';
import { Refusal, type Manifest } from '@oneround/fl-core';
import { CampaignFileError, loadCampaign, type LoadedCampaign } from '../campaign/index.ts';
import { serveCalls, threadData } from '../threads/thread.ts';
import { BlobFault, hashBytes, storageFull, type Blobs, type BlobStore } from './blobs.ts';
import { asRefusal } from './database-errors.ts';
import { FileBlobs } from './file-blobs.ts';
import { firstVersionOf, type FirstVersion } from './first-version.ts';
import { openPresentDatabase } from './open-database.ts';
import { PostgresBlobs } from './postgres-blobs.ts';
import type { LedgerPlace } from './verify-thread.ts';

/** How much a server may store, as its operator has said. */
export interface Room {
  /** Of blobs and uploads together. */
  maxDataBytes?: number | undefined;
  /** Left free on the disk of the data directory, where that holds the blobs. */
  minFreeBytes: number;
}

export type LoadOptions = LedgerPlace & Room;

export interface Loader {
  /** As `loadCampaign`. @throws Refusal `bad_campaign_file`, `storage_full`, `unavailable` */
  load(path: string): Promise<LoadedCampaign>;
  /** Hashes of what `load` has stored, or found there, so far; the ledger's thread drops them if nothing comes of it. */
  stored(): Promise<string[]>;
  /** As `firstVersionOf`; null also when blobs were dropped since, with another campaign that had them. */
  firstVersion(manifest: Manifest): Promise<FirstVersion | null>;
}

const { dataDir, databaseUrl, maxDataBytes, minFreeBytes } = threadData<LoadOptions>();
const stored = new Set<string>();

serveCalls(
  {
    load: (path) => withBlobs((blobs) => loadCampaign(path, withinRoom(blobs))).catch(asNoRoomFor(path)),
    stored: async () => [...stored],
    firstVersion: (manifest) =>
      withBlobs((blobs) => firstVersionOf(manifest, (sha256) => blobs.read(sha256))).catch(nullWhenGone),
  } satisfies Loader,
  (error) => (error instanceof CampaignFileError ? new Refusal('bad_campaign_file', error.message) : asRefusal(error)),
);

/** Takes no more room than there is; what is stored already takes none. */
function withinRoom(blobs: Blobs): BlobStore {
  return {
    async put(bytes) {
      const isThere = await blobs.has(hashBytes(bytes));
      if (!isThere) {
        await blobs.reserve(bytes.byteLength);
        if (databaseUrl === undefined && freeBytes() - bytes.byteLength < minFreeBytes) throw storageFull();
      }
      const sha256 = await blobs.put(bytes);
      stored.add(sha256);
      return sha256;
    },
  };
}

function freeBytes(): number {
  const { bavail, bsize } = statfsSync(dataDir);
  return bavail * bsize;
}

/** A disk or quota that is full, in words for an organiser; any other error unchanged. */
function asNoRoomFor(path: string): (error: unknown) => never {
  return (error) => {
    const refusal = asRefusal(error);
    if (!(refusal instanceof Refusal) || refusal.code !== 'storage_full') throw error;
    throw new Refusal(
      'storage_full',
      `There is no room for what ${path} names: make some on the disk, or change --max-data-bytes or --min-free-bytes.`,
    );
  };
}

async function withBlobs<Result>(use: (blobs: Blobs) => Promise<Result>): Promise<Result> {
  // It counts what is there now: the thread may have been started long before.
  const files = new FileBlobs(dataDir, { maxBytes: databaseUrl === undefined ? maxDataBytes : undefined });
  if (databaseUrl === undefined) return use(files);
  const database = await openPresentDatabase(dataDir, databaseUrl);
  try {
    return await use(new PostgresBlobs(database, files, maxDataBytes));
  } finally {
    await database.destroy();
  }
}

/** Then the file is read again. */
function nullWhenGone(error: unknown): null {
  if (error instanceof BlobFault) return null;
  throw error;
}
