/** What went wrong in a database or on a disk, whichever of them it was. */
import { storageFull } from './blobs.ts';

const POSTGRES_DISK_FULL = '53100';
const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'SQLITE_FULL', POSTGRES_DISK_FULL]);

/** A full disk, a database's included, as the refusal it is; any other error unchanged. */
export function asStorageFull(error: unknown): unknown {
  const code = codeOf(error);
  return code !== undefined && fullCodes.has(code) ? storageFull() : error;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
