/** What went wrong in a database or on a disk, whichever of them it was. */
import { Refusal } from '@oneround/fl-core';
import { storageFull } from './blobs.ts';

/** The disk's and SQLite's words, and Postgres' `disk_full`. */
const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'SQLITE_FULL', '53100']);
/** SQLite's words, and Postgres' `unique_violation`. */
const duplicateCodes = new Set(['SQLITE_CONSTRAINT_PRIMARYKEY', 'SQLITE_CONSTRAINT_UNIQUE', '23505']);

/** A full disk, a database's included, as the refusal it is; any other error unchanged. */
export function asStorageFull(error: unknown): unknown {
  return hasCode(error, fullCodes) ? storageFull() : error;
}

/** Postgres' words for a server that is starting, stopping or gone, and for a session that it ended; the network's. */
const unreachableCodes = new Set([
  ...['57P01', '57P02', '57P03', '25P03', '08000', '08001', '08003', '08006'],
  ...['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN'],
]);
/** What `pg` says without a code. */
const unreachableWords =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

/** What the client should hear of an error in the ledger: a full disk and a database that is away are no faults. */
export function asRefusal(error: unknown): unknown {
  if (!isUnreachable(error)) return asStorageFull(error);
  return new Refusal('unavailable', 'The server cannot reach its database now; try again in a moment.');
}

function isUnreachable(error: unknown): boolean {
  // A socket file that is not there; a missing blob is another matter.
  const hasNoSocket = error instanceof Error && 'syscall' in error && error.syscall === 'connect';
  return (
    hasNoSocket || hasCode(error, unreachableCodes) || (error instanceof Error && unreachableWords.test(error.message))
  );
}

/** True for a row that is there already. */
export function isDuplicateKey(error: unknown): boolean {
  return hasCode(error, duplicateCodes);
}

function hasCode(error: unknown, codes: ReadonlySet<string>): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.has(error.code);
}
