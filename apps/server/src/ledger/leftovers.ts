/**
 * Blobs that no row names. A server leaves some that dies in the middle of deleting, or before it names what it stored. In a
 * data directory an older ledger that an operator put back names as little of what came after it: so what a start finds there
 * is set aside for days, in `dropped/`, and comes back by itself with the ledger that names it. On Postgres both are one.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { unnamedBlobs, unnamedRows } from './blob-references.ts';
import type { Blobs } from './blobs.ts';
import type { FileBlobs } from './file-blobs.ts';
import type { LedgerDatabase } from './open-database.ts';

const KEPT_ASIDE_MS = 7 * 24 * 60 * 60 * 1000;

/** @throws Error with one sentence when there are blobs, but not the ledger that names them, and a new one would be begun */
export function requireLedgerOf(files: FileBlobs, dataDir: string): void {
  const path = join(dataDir, 'ledger.sqlite');
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0) return;
  const { length } = files.list().blobs;
  if (length === 0) return;
  throw new Error(
    `${join(dataDir, 'blobs')} holds ${length} file${length === 1 ? '' : 's'}, but their ledger ${path} is not there: put it back, from a backup if need be, or name another --data directory.`,
  );
}

/**
 * At a start: deletes unfinished blobs, sets aside those that nothing names, puts back those that something names again,
 * deletes what was set aside a week ago, and parts of no upload. Only for a data directory that nobody else writes to.
 * @param now epoch milliseconds
 */
export async function setLeftoversAside(db: LedgerDatabase, files: FileBlobs, now: number): Promise<void> {
  files.dropUnfinished();
  const aside = files.listAside();
  const unnamed = new Set(
    await unnamedBlobs(
      db,
      aside.map(({ sha256 }) => sha256),
    ),
  );
  for (const { sha256, since } of aside) {
    if (!unnamed.has(sha256)) files.takeBack(sha256);
    else if (now - since >= KEPT_ASIDE_MS) files.dropAside(sha256);
  }
  for (const sha256 of await unnamedBlobs(db, files.list().blobs)) files.setAside(sha256, now);
  await dropUnknownParts(db, files);
}

/**
 * At a start on Postgres: drops blobs that nothing names, and chunks of no upload and no blob. What another server has stored
 * and not named yet, it stores again.
 */
export async function dropUnnamedRows(db: LedgerDatabase, blobs: Blobs): Promise<void> {
  await blobs.dropUnnamed(await unnamedRows(db), db);
  // One statement sees one state: an upload is there before its chunks, and a blob before its upload is gone.
  await sql`delete from chunks where upload in (
    select upload from chunks except select contribution_id from uploads except select upload from blobs)`.execute(db);
}

/**
 * Deletes copies of what another server has deleted: blobs that nothing names, parts of no upload. Only for copies, which
 * whoever needs them fetches again.
 */
export async function dropCopies(db: LedgerDatabase, files: FileBlobs): Promise<void> {
  await files.dropUnnamed(files.list().blobs, db);
  await dropUnknownParts(db, files);
}

async function dropUnknownParts(db: LedgerDatabase, files: FileBlobs): Promise<void> {
  const uploads = await db.selectFrom('uploads').select('contribution_id').execute();
  const begun = new Set(uploads.map(({ contribution_id }) => contribution_id));
  for (const part of files.list().parts) if (!begun.has(part)) await files.dropPart(part);
}
