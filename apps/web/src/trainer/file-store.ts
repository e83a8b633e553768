/**
 * Where downloaded model files stay: the origin's private file system, else the Cache API, else this visit's memory.
 * Files are named by their SHA-256, and whoever reads one checks it again, so a store need not be trusted.
 */

/** `opfs` and `cache` survive the visit; `memory` does not. */
export type StorageKind = 'opfs' | 'cache' | 'memory';

/** A place for immutable files. */
export interface FileStore {
  readonly kind: StorageKind;
  /** Null when it is not there. */
  read(sha256: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** @throws DOMException `QuotaExceededError` when the device is full */
  write(sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Names (SHA-256) and sizes of what is kept. */
  list(): Promise<Map<string, number>>;
  clear(): Promise<void>;
}

const FOLDER = 'model-files';
const CACHE = 'oneround-model-files';

/** The best store that works here. Never fails: memory always works. */
export async function openFileStore(): Promise<FileStore> {
  return (await openOpfs()) ?? (await openCache()) ?? memoryStore();
}

async function openOpfs(): Promise<FileStore | null> {
  if (!navigator.storage?.getDirectory || !('createWritable' in FileSystemFileHandle.prototype)) return null;
  try {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle(FOLDER, { create: true });
    return opfsStore(root, folder);
  } catch (error) {
    // Private windows and locked-down profiles refuse with a SecurityError or similar; the next kind may work.
    if (error instanceof DOMException) return null;
    throw error;
  }
}

function opfsStore(root: FileSystemDirectoryHandle, folder: FileSystemDirectoryHandle): FileStore {
  return {
    kind: 'opfs',
    async read(sha256) {
      const file = await existingFile(folder, sha256);
      return file && new Uint8Array(await file.arrayBuffer());
    },
    async write(sha256, bytes) {
      const handle = await folder.getFileHandle(sha256, { create: true });
      // Written to a copy and swapped in on close: a reader sees the whole file or none.
      const stream = await handle.createWritable();
      await stream.write(bytes);
      await stream.close();
    },
    async list() {
      const files = new Map<string, number>();
      for await (const [name, handle] of folder.entries()) {
        if (handle instanceof FileSystemFileHandle) files.set(name, (await handle.getFile()).size);
      }
      return files;
    },
    async clear() {
      await root.removeEntry(FOLDER, { recursive: true });
      await root.getDirectoryHandle(FOLDER, { create: true });
    },
  };
}

async function existingFile(folder: FileSystemDirectoryHandle, name: string): Promise<File | null> {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return null;
    throw error;
  }
}

async function openCache(): Promise<FileStore | null> {
  if (!('caches' in globalThis)) return null;
  try {
    await caches.open(CACHE);
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
  return {
    kind: 'cache',
    async read(sha256) {
      const response = await (await caches.open(CACHE)).match(urlOf(sha256));
      return response ? new Uint8Array(await response.arrayBuffer()) : null;
    },
    async write(sha256, bytes) {
      const response = new Response(bytes, { headers: { 'content-length': String(bytes.byteLength) } });
      await (await caches.open(CACHE)).put(urlOf(sha256), response);
    },
    async list() {
      const cache = await caches.open(CACHE);
      const files = new Map<string, number>();
      for (const request of await cache.keys()) {
        const response = await cache.match(request);
        files.set(request.url.slice(-64), Number(response?.headers.get('content-length') ?? 0));
      }
      return files;
    },
    async clear() {
      await caches.delete(CACHE);
    },
  };
}

/** The Cache API knows requests, so a file is kept under the address that it came from. */
function urlOf(sha256: string): string {
  return new URL(`/v1/files/${sha256}`, location.origin).href;
}

/** A store that forgets at the end of the visit. */
export function memoryStore(): FileStore {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  return {
    kind: 'memory',
    read: async (sha256) => files.get(sha256) ?? null,
    write: async (sha256, bytes) => void files.set(sha256, bytes),
    list: async () => new Map([...files].map(([name, bytes]) => [name, bytes.byteLength])),
    clear: async () => files.clear(),
  };
}
