/** Byte ranges of files on disk. */
import { open } from 'node:fs/promises';
import type { ReadRange } from '@oneround/lora/checkpoint';

/** An open file. */
export interface FileRanges {
  bytes: number;
  read: ReadRange;
  close(): Promise<void>;
}

/** Opens a file for reading. `read` throws when the file has become shorter. */
export async function openFileRanges(path: string): Promise<FileRanges> {
  const handle = await open(path, 'r');
  const { size } = await handle.stat();
  return {
    bytes: size,
    read: async (offset, length) => {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0)
          throw new Error(`${path} ends at byte ${offset + done}; it had ${size} when it was opened`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

/** Bytes of a file that is opened for this alone. */
export async function readFileRange(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await openFileRanges(path);
  try {
    return await file.read(offset, length);
  } finally {
    await file.close();
  }
}
