/**
 * Where downloaded model files stay. Files are named by their SHA-256, and whoever reads one checks it again, so a store need
 * not be trusted.
 */

/** `memory` forgets at the end of the visit; the others are a browser's private file system, its Cache API, and a folder. */
export type StorageKind = 'opfs' | 'cache' | 'memory' | 'folder';

/** A place for immutable files. */
export interface FileStore {
  readonly kind: StorageKind;
  /** Null when it is not there. */
  read(sha256: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** @throws DOMException `QuotaExceededError` when the device is full */
  write(sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Names (SHA-256) and sizes of what is kept. */
  list(): Promise<Map<string, number>>;
  /** Gives the space of these files back; those that are not there are passed over. */
  remove(sha256s: Iterable<string>): Promise<void>;
}

/** A store that forgets at the end of the visit. */
export function memoryStore(): FileStore {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  return {
    kind: 'memory',
    read: async (sha256) => files.get(sha256) ?? null,
    write: async (sha256, bytes) => void files.set(sha256, bytes),
    list: async () => new Map([...files].map(([name, bytes]) => [name, bytes.byteLength])),
    remove: async (sha256s) => {
      for (const sha256 of sha256s) files.delete(sha256);
    },
  };
}
