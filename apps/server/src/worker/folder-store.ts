/** Model files in a folder, one file each, named by their SHA-256; whoever reads one checks it again. */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileStore } from '@oneround/client/model-files';
import { readIfThere, writeWhole } from './whole-file.ts';

const fileName = /^[0-9a-f]{64}$/;

/** A store in `folder`, which is made when it is first needed. */
export function folderStore(folder: string): FileStore {
  return {
    kind: 'folder',
    read: (sha256) => readIfThere(join(folder, sha256)),
    write: (sha256, bytes) => writeWhole(join(folder, sha256), bytes),
    async list() {
      await mkdir(folder, { recursive: true });
      const names = (await readdir(folder)).filter((name) => fileName.test(name));
      return new Map(
        await Promise.all(names.map(async (name) => [name, (await stat(join(folder, name))).size] as const)),
      );
    },
    async remove(sha256s) {
      for (const sha256 of sha256s) await rm(join(folder, sha256), { force: true });
    },
  };
}
