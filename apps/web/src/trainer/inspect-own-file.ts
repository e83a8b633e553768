/** A file of the volunteer's own, looked at before a run. */
import { FileGone, readOwnFile } from '@oneround/client/run';
import { DataSetError } from '@oneround/lora/data-set';
import type { Inspection } from './messages.ts';

/** What the file holds, in short. */
export async function inspectOwnFile(file: File): Promise<Inspection> {
  try {
    const { format, records, rowsWithoutAnswer, ignoredFields } = await readOwnFile(file);
    return { ok: true, format, examples: records.length, rowsWithoutAnswer, ignoredFields };
  } catch (error) {
    if (error instanceof DataSetError || error instanceof FileGone) return { ok: false, problem: error.message };
    throw error;
  }
}
