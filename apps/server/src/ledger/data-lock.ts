/** One process per folder: a lock file that names the process holding it. A dead process's lock is taken over. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Who is asking: the process id and when that process started (epoch milliseconds), so that a reused id is noticed. */
export interface LockOwner {
  pid: number;
  startedAt: number;
}

/** A living server holds the data directory. */
export class DataDirInUse extends Error {
  constructor(dataDir: string, pid: number) {
    super(
      `The data directory ${dataDir} is in use by another oneround server (process ${pid}). Stop it, or start this one with another --data directory.`,
    );
    this.name = 'DataDirInUse';
  }
}

/** This process. */
export function thisProcess(): LockOwner {
  return { pid: process.pid, startedAt: Math.round(performance.timeOrigin) };
}

/**
 * Locks `dataDir` (created if missing) and returns the function that unlocks it.
 * @throws DataDirInUse when a living process holds the lock
 */
export function lockDataDir(dataDir: string, owner: LockOwner): () => void {
  return lockFolder(dataDir, owner, (pid) => new DataDirInUse(dataDir, pid));
}

/** As `lockDataDir`, for any folder; throws `inUse` of the process that holds it. */
export function lockFolder(folder: string, owner: LockOwner, inUse: (pid: number) => Error): () => void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'lock');
  for (;;) {
    try {
      writeFileSync(path, JSON.stringify(owner), { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const holder = readHolder(path);
    if (holder && isHeld(holder, owner)) throw inUse(holder.pid);
    rmSync(path, { force: true });
  }
}

/** Null for a lock that was cut short while it was written: its process died. */
function readHolder(path: string): LockOwner | null {
  const match = /^\{"pid":(\d+),"startedAt":(\d+)\}$/.exec(readFileSync(path, 'utf8'));
  return match ? { pid: Number(match[1]), startedAt: Number(match[2]) } : null;
}

function isHeld(holder: LockOwner, owner: LockOwner): boolean {
  if (holder.pid === owner.pid) return holder.startedAt === owner.startedAt;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, but another user's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
