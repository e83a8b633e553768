import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as z from 'zod';

/** A campaign file that cannot be served, in one sentence. */
export class CampaignFileError extends Error {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.name = 'CampaignFileError';
  }
}

/** The absolute path of what a field of the campaign file names. @throws CampaignFileError, with `advice`, when nothing is there */
export function namedPath(campaignFile: string, field: string, path: string, advice = ''): string {
  const absolute = resolve(dirname(campaignFile), path);
  if (!existsSync(absolute)) throw new CampaignFileError(campaignFile, `${field}: there is no ${absolute}${advice}`);
  return absolute;
}

/** What `read` returns. @throws CampaignFileError naming `path` for whatever it throws */
export function checked<Value>(path: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    throw asCampaignFileError(path, error);
  }
}

/** `checked` for what takes its time. */
export async function checkedLater<Value>(path: string, read: () => Promise<Value>): Promise<Value> {
  try {
    return await read();
  } catch (error) {
    throw asCampaignFileError(path, error);
  }
}

function asCampaignFileError(path: string, error: unknown): CampaignFileError {
  return error instanceof CampaignFileError ? error : new CampaignFileError(path, problemOf(error));
}

function problemOf(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'there is no such file';
  return error instanceof Error ? error.message : String(error);
}
