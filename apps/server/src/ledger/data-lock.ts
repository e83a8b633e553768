/**
 * One process per folder. The lock is a transaction of SQLite's on a database of its own that is never committed: the
 * operating system keeps it (fcntl, or LockFileEx on Windows), ends it with the process, however that dies, and knows it from
 * every container that shares the folder on one machine. A process id in a file tells none of this: ids are used again, and
 * every container has a process 1. The file `lock` only says who it is, for the sentence that a second one gets.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { z } from 'zod';

/** Whoever has the folder can read keys, hashes of addresses and held-out records. */
export const PRIVATE_FOLDER = 0o700;

const ownerSchema = z.object({ pid: z.number(), host: z.string() });

/** A database that nobody refers to is closed one day, and its lock with it. */
const locks = new Set<SqliteDatabase.Database>();

/** Who holds a lock, in words that a person can look for. */
export type LockOwner = z.infer<typeof ownerSchema>;

/** A living server holds the data directory. */
export class DataDirInUse extends Error {
  constructor(dataDir: string, holder: string) {
    super(
      `The data directory ${dataDir} is in use by another oneround server (${holder}). Stop it, or start this one with another --data directory.`,
    );
    this.name = 'DataDirInUse';
  }
}

/** This process. */
export function thisProcess(): LockOwner {
  return { pid: process.pid, host: hostname() };
}

/**
 * Locks `dataDir` (created if missing) and returns the function that unlocks it.
 * @throws DataDirInUse when a living process holds the lock
 */
export function lockDataDir(dataDir: string, owner: LockOwner): () => void {
  return lockFolder(dataDir, owner, (holder) => new DataDirInUse(dataDir, holder));
}

/** As `lockDataDir`, for any folder; throws `inUse` with the name of the process that holds it. */
export function lockFolder(folder: string, owner: LockOwner, inUse: (holder: string) => Error): () => void {
  mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  const words = join(folder, 'lock');
  const lock = new SqliteDatabase(join(folder, 'lock.sqlite'), { timeout: 0 });
  try {
    lock.exec('begin exclusive');
  } catch (error) {
    lock.close();
    if (!(error instanceof SqliteDatabase.SqliteError)) throw error;
    if (error.code === 'SQLITE_BUSY') throw inUse(nameOfHolder(words, owner));
    throw new Error(`${folder} cannot be locked (${error.message}); it must lie on a file system that has locks.`, {
      cause: error,
    });
  }
  locks.add(lock);
  writeFileSync(words, JSON.stringify(owner));
  return () => {
    rmSync(words, { force: true });
    lock.close();
    locks.delete(lock);
  };
}

/** The holder may be about to write who it is, or to be done. */
function nameOfHolder(path: string, asking: LockOwner): string {
  const holder = ownerSchema.safeParse(readJson(path));
  if (!holder.success) return 'just starting or stopping';
  const { pid, host } = holder.data;
  return host === asking.host ? `process ${pid}` : `process ${pid} of ${host}`;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}
