/** A model's weights on this device as one stream of bytes, which never has to be in memory as a whole. */
import type { FileRef } from '@oneround/fl-core';
import type { ReadRange } from '@oneround/lora/checkpoint';
import { readAcross } from '@oneround/lora/packing';

/** The bytes of one file, checked. */
export type ReadFile = (file: FileRef) => Promise<Uint8Array<ArrayBuffer>>;

/**
 * Reads ranges across files that lie one after the other. The file read last stays at hand, so reading from front to back
 * loads each file once and holds one at a time.
 * @throws RangeError when the files do not have the range
 */
export function readStoredRange(files: readonly FileRef[], readFile: ReadFile): ReadRange {
  let current: { index: number; loading: Promise<Uint8Array> } | null = null;
  return readAcross(
    files.map(({ bytes }) => bytes),
    async (index, offset, length) => {
      if (current?.index !== index) current = { index, loading: readFile(files[index]!) };
      return (await current.loading).subarray(offset, offset + length);
    },
  );
}
