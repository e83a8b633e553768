/** A file of the volunteer's own: read on this device, kept on it, never sent. */
import { DATA_SET_LIMIT_BYTES, DataSetError, parseDataSet, type DataSet } from '@oneround/lora/data-set';

/** The device does not give the file's bytes: it was changed, moved or taken away since it was chosen. */
export class FileGone extends Error {
  constructor() {
    super('the file was changed or moved since it was chosen; choose it again');
    this.name = 'FileGone';
  }
}

/**
 * Reads the file as a data set.
 * @throws DataSetError or FileGone
 */
export async function readOwnFile(file: File): Promise<DataSet> {
  if (file.size > DATA_SET_LIMIT_BYTES) {
    throw new DataSetError('too_large', null, `it is larger than ${DATA_SET_LIMIT_BYTES / 2 ** 20} MiB`);
  }
  return parseDataSet(await bytesOf(file), file.name);
}

async function bytesOf(file: File): Promise<Uint8Array> {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    if (error instanceof DOMException) throw new FileGone();
    throw error;
  }
}
