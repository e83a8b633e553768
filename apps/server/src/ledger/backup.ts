/**
 * A data directory copied while a server writes to it. The database first, by SQLite's online backup, which sees one state of
 * it; then every blob that this state names. A blob is on the disk before any row names it, and never changes, so it is there
 * - unless the server dropped it in between (an old snapshot, a deleted campaign): then the database is copied once more.
 * Uploads under way stay behind: whoever sends one begins it again.
 */
import {
  copyFileSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { campaignDefinitionSchema } from '../campaign/index.ts';
import { PRIVATE_FOLDER } from './data-lock.ts';
import { readDatabase } from './open-database.ts';

/** How often the database is copied before a directory counts as changing too fast. */
const MOST_ATTEMPTS = 10;
const ALL_PAGES = 2 ** 31 - 1;

export interface BackupOptions {
  /**
   * `link` gives blobs a second name where the file system can: at once, and without room. `copy` gives bytes of their own,
   * which a fault of the first directory's leaves alone.
   */
  blobs: 'link' | 'copy';
  onProgress?: (done: number, total: number) => void;
}

/** What was copied. */
export interface Backup {
  blobs: number;
  bytes: number;
}

/**
 * Copies the data directory `from` to `to`, which is there whole or not at all.
 * @throws Error with one sentence when `to` is there already, `from` is no data directory of this release or lacks a blob,
 *   or the server deletes faster than this copies
 */
export async function copyDataDir(from: string, to: string, options: BackupOptions): Promise<Backup> {
  const target = resolve(to);
  if (existsSync(target)) throw new Error(`${target} is there already; nothing is overwritten. Name another folder.`);
  const draft = `${target}.unfinished`;
  // Only an earlier attempt that was cut short leaves one.
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(join(draft, 'blobs'), { recursive: true, mode: PRIVATE_FOLDER });
  try {
    const backup = await copyWhole(resolve(from), draft, options);
    sync(join(draft, 'blobs'));
    sync(draft);
    renameSync(draft, target);
    sync(dirname(target));
    return backup;
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

async function copyWhole(from: string, to: string, options: BackupOptions): Promise<Backup> {
  let missing: string | null = null;
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    await copyDatabase(from, to);
    const named = await namedBlobs(to);
    const copied = copyBlobs(from, to, named, options);
    if (typeof copied !== 'string') {
      const kept = new Set(named);
      for (const name of readdirSync(join(to, 'blobs'))) if (!kept.has(name)) rmSync(join(to, 'blobs', name));
      return copied;
    }
    // What the server drops, the next copy of the database does not name.
    if (copied === missing) {
      throw new Error(
        `${copied} is missing, which ${from} names; \`oneround verify\` says whose it is. Nothing was copied.`,
      );
    }
    missing = copied;
  }
  throw new Error(`${from} changed ${MOST_ATTEMPTS} times while it was copied; try again when the server is quieter.`);
}

async function copyDatabase(from: string, to: string): Promise<void> {
  // Refuses what is no ledger of this release.
  await (await readDatabase(from)).destroy();
  const sqlite = new SqliteDatabase(join(from, 'ledger.sqlite'), { readonly: true });
  const path = join(to, 'ledger.sqlite');
  rmSync(path, { force: true });
  try {
    // In one go: a backup that takes turns with a writer starts anew at each commit. The writer does not wait (WAL).
    await sqlite.backup(path, { progress: () => ALL_PAGES });
  } finally {
    sqlite.close();
  }
  sync(path);
}

/** Every blob that a row names, each once. */
async function namedBlobs(dataDir: string): Promise<string[]> {
  const db = await readDatabase(dataDir);
  try {
    const named = new Set<string>();
    for (const table of ['files', 'contributions', 'snapshots'] as const) {
      const rows = await db.selectFrom(table).select('sha256').distinct().execute();
      for (const { sha256 } of rows) named.add(sha256);
    }
    for (const { definition } of await db.selectFrom('campaigns').select('definition').execute()) {
      named.add(campaignDefinitionSchema.parse(JSON.parse(definition)).heldOutSha256);
    }
    return [...named];
  } finally {
    await db.destroy();
  }
}

/** Returns the path of the first that is not there, if one is not. */
function copyBlobs(from: string, to: string, named: string[], { blobs, onProgress }: BackupOptions): Backup | string {
  let bytes = 0;
  for (const [index, sha256] of named.entries()) {
    const [source, copy] = [from, to].map((folder) => join(folder, 'blobs', sha256)) as [string, string];
    try {
      if (!existsSync(copy)) copyBlob(source, copy, blobs);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return source;
      throw error;
    }
    bytes += statSync(copy).size;
    onProgress?.(index + 1, named.length);
  }
  return { blobs: named.length, bytes };
}

function copyBlob(source: string, copy: string, how: BackupOptions['blobs']): void {
  if (how === 'link') {
    try {
      return linkSync(source, copy);
    } catch (error) {
      // Another file system, or one without links.
      if (!['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK'].some((code) => hasCode(error, code))) throw error;
    }
  }
  copyFileSync(source, copy, constants.COPYFILE_FICLONE);
  sync(copy);
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
