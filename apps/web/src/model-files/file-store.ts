/** The best place for model files in this browser: the origin's private file system, else the Cache API, else memory. */
import { type FileStore, memoryStore } from '@oneround/client/model-files';
import { openCacheStore } from './cache-store.ts';
import { openOpfsStore } from './opfs-store.ts';

/** The best store that works here. Never fails: memory always works. */
export async function openFileStore(): Promise<FileStore> {
  return (await openOpfsStore()) ?? (await openCacheStore()) ?? memoryStore();
}
