/** A file of the volunteer's own: read in the worker, kept in this browser, never sent. */
import { DATA_SET_LIMIT_BYTES, DataSetError, parseDataSet, type DataSet } from '@oneround/lora/data-set';
import type { Inspection } from './messages.ts';
import { t } from '../text/t.ts';

/** The device does not give the file's bytes: it was changed, moved or taken away since it was chosen. */
export class FileGone extends Error {
  constructor() {
    super(t('data.own.gone'));
    this.name = 'FileGone';
  }
}

/**
 * Reads the file as a data set.
 * @throws DataSetError or FileGone
 */
export async function readOwnFile(file: File): Promise<DataSet> {
  if (file.size > DATA_SET_LIMIT_BYTES) {
    throw new DataSetError('too_large', null, t('data.own.tooLarge', { limit: DATA_SET_LIMIT_BYTES / 2 ** 20 }));
  }
  return parseDataSet(await bytesOf(file), file.name);
}

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

async function bytesOf(file: File): Promise<Uint8Array> {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    if (error instanceof DOMException) throw new FileGone();
    throw error;
  }
}
