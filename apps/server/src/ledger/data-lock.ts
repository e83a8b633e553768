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

const ownerSchema = z.object({ pid: z.number(), host: z.string(), url: z.string().optional() });
const earlierOwnerSchema = z.object({ pid: z.number(), startedAt: z.number() });

/** A database that nobody refers to is closed one day, and its lock with it. */
const locks = new Set<SqliteDatabase.Database>();

/** Who holds a lock, in words that a person can look for; `url`: where its machine reaches it, once it listens. */
export type LockOwner = z.infer<typeof ownerSchema>;

/** Who stands in the way. */
interface Holder {
  name: string;
  /** Where it listens, if it does on this machine and has said so. */
  url: string | null;
}

/** A living server holds the data directory. */
export class DataDirInUse extends Error {
  readonly url: string | null;

  constructor(dataDir: string, { name, url }: Holder) {
    super(
      `The data directory ${dataDir} is in use by another oneround server (${name}). Stop it, or start this one with another --data directory.`,
    );
    this.name = 'DataDirInUse';
    this.url = url;
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

/** Says to whoever finds the directory locked where its holder listens; called by the holder. */
export function announce(dataDir: string, owner: LockOwner): void {
  writeFileSync(wordsOf(dataDir), JSON.stringify(owner));
}

/**
 * As `lockDataDir`, for any folder; throws `inUse` with the process that holds it.
 * @throws Error with one sentence when the folder cannot be written, or its lock is damaged
 */
export function lockFolder(folder: string, owner: LockOwner, inUse: (holder: Holder) => Error): () => void {
  mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  const words = wordsOf(folder);
  const path = join(folder, 'lock.sqlite');
  let lock: SqliteDatabase.Database | null = null;
  try {
    lock = new SqliteDatabase(path, { timeout: 0 });
    lock.exec('begin exclusive');
    const earlier = earlierHolder(words, owner);
    if (earlier !== null) throw inUse({ name: earlier, url: null });
    writeFileSync(words, JSON.stringify(owner));
  } catch (error) {
    lock?.close();
    if (!(error instanceof SqliteDatabase.SqliteError)) throw error;
    if (error.code === 'SQLITE_BUSY') throw inUse(holderOf(words, owner));
    throw new Error(whyNoLock(folder, path, error), { cause: error });
  }
  const held = lock;
  locks.add(held);
  return () => {
    rmSync(words, { force: true });
    held.close();
    locks.delete(held);
  };
}

function whyNoLock(
  folder: string,
  path: string,
  { code, message }: InstanceType<typeof SqliteDatabase.SqliteError>,
): string {
  if (/^SQLITE_(CANTOPEN|READONLY|PERM|AUTH)/.test(code)) {
    return `${folder} cannot be written (${message}: ${path}); let the user that runs oneround write there, or name another folder.`;
  }
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(code)) {
    return `${path} is damaged (${message}); it holds nothing, so delete it while no oneround process uses ${folder}.`;
  }
  return `${folder} cannot be locked (${message}); it must lie on a file system that has locks.`;
}

/**
 * A release before this one took no lock: its file alone says who it is. Null when there is none, or nobody lives by its
 * process id.
 */
function earlierHolder(path: string, asking: LockOwner): string | null {
  const earlier = earlierOwnerSchema.safeParse(readJson(path));
  if (!earlier.success || earlier.data.pid === asking.pid || !isAlive(earlier.data.pid)) return null;
  return `process ${earlier.data.pid}, of an earlier release; if that is another program by now, delete ${path}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** The holder may be about to write who it is, or to be done. */
function holderOf(path: string, asking: LockOwner): Holder {
  const holder = ownerSchema.safeParse(readJson(path));
  if (!holder.success) return { name: 'just starting or stopping', url: null };
  const { pid, host, url = null } = holder.data;
  // A container's address is its own.
  return host === asking.host ? { name: `process ${pid}`, url } : { name: `process ${pid} of ${host}`, url: null };
}

function wordsOf(folder: string): string {
  return join(folder, 'lock');
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}
