/** What went wrong in a database or on a disk, whichever of them it was. */
import { storageFull } from './blobs.ts';

/** The disk's and SQLite's words, and Postgres' `disk_full`. */
const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'SQLITE_FULL', '53100']);
/** SQLite's words, and Postgres' `unique_violation`. */
const duplicateCodes = new Set(['SQLITE_CONSTRAINT_PRIMARYKEY', 'SQLITE_CONSTRAINT_UNIQUE', '23505']);

/** A full disk, a database's included, as the refusal it is; any other error unchanged. */
export function asStorageFull(error: unknown): unknown {
  return hasCode(error, fullCodes) ? storageFull() : error;
}

/** True for a row that is there already. */
export function isDuplicateKey(error: unknown): boolean {
  return hasCode(error, duplicateCodes);
}

function hasCode(error: unknown, codes: ReadonlySet<string>): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.has(error.code);
}
