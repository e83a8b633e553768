/** Files in the origin private file system: a folder with one file per model file, named by its SHA-256. */
import type { FileStore } from '@oneround/client/model-files';

const FOLDER = 'model-files';
const fileName = /^[0-9a-f]{64}$/;

/** Null where the browser has no private file system or keeps it shut. */
export async function openOpfsStore(): Promise<FileStore | null> {
  if (!navigator.storage?.getDirectory || !('createWritable' in FileSystemFileHandle.prototype)) return null;
  try {
    const root = await navigator.storage.getDirectory();
    return opfsStore(await root.getDirectoryHandle(FOLDER, { create: true }));
  } catch (error) {
    // Private windows and locked-down profiles refuse with a SecurityError or similar; the next kind may work.
    if (error instanceof DOMException) return null;
    throw error;
  }
}

function opfsStore(folder: FileSystemDirectoryHandle): FileStore {
  return {
    kind: 'opfs',
    async read(sha256) {
      const handle = await unlessMissing(folder.getFileHandle(sha256));
      return handle && new Uint8Array(await (await handle.getFile()).arrayBuffer());
    },
    async write(sha256, bytes) {
      const handle = await folder.getFileHandle(sha256, { create: true });
      // Written to a copy and swapped in on close: a reader sees the whole file or an empty one.
      const stream = await handle.createWritable();
      try {
        await stream.write(bytes);
        await stream.close();
      } catch (error) {
        // What did not fit must not take room: the copy, and the empty file under the name.
        await stream.abort().catch(() => undefined);
        await unlessMissing(folder.removeEntry(sha256));
        throw error;
      }
    },
    async list() {
      const files = new Map<string, number>();
      for await (const [name, handle] of folder.entries()) {
        if (!fileName.test(name) || !(handle instanceof FileSystemFileHandle)) continue;
        files.set(name, (await handle.getFile()).size);
      }
      return files;
    },
    async remove(sha256s) {
      for (const sha256 of sha256s) await unlessMissing(folder.removeEntry(sha256));
    },
  };
}

async function unlessMissing<Result>(entry: Promise<Result>): Promise<Result | null> {
  try {
    return await entry;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return null;
    throw error;
  }
}
