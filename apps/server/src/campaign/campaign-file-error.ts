import * as z from 'zod';

/** A campaign file that cannot be served, in one sentence. */
export class CampaignFileError extends Error {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.name = 'CampaignFileError';
  }
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
  return error instanceof Error ? error.message : String(error);
}
