/**
 * A worker's folder: its key, the model files that it fetched, and the runs that it can go on with. One worker at a time.
 *
 *   key.json                  private key, readable by its owner alone
 *   model-files/<sha256>      base models, shared by all campaigns
 *   runs/<host>/<campaign>.*  checkpoints
 *   tuning.json               what was measured on the GPU
 */
import { join, resolve } from 'node:path';
import type { VolunteerHost } from '@oneround/client/run';
import { lockFolder, thisProcess } from '../ledger/index.ts';
import { checkpointFiles } from './checkpoint-files.ts';
import { folderStore } from './folder-store.ts';
import { loadKeyFile } from './key-file.ts';
import { tuningFile } from './tuning-file.ts';

/** What the folder gives a run. */
export interface WorkerFolder extends Pick<VolunteerHost, 'checkpoints' | 'loadIdentity' | 'openFileStore'> {
  tuning: NonNullable<VolunteerHost['training']['tuning']>;
  unlock(): void;
}

/** Opens and locks `folder` for runs on the server at `origin`. @throws Error with one sentence when a worker holds it */
export function openWorkerFolder(folder: string, origin: string): WorkerFolder {
  const path = resolve(folder);
  const unlock = lockFolder(
    path,
    thisProcess(),
    ({ name }) =>
      new Error(
        `The folder ${path} is in use by another worker (${name}). Stop it, or give this one another --folder.`,
      ),
  );
  // A port's colon is no part of a file name on every system.
  const server = new URL(origin).host.replaceAll(/[^\w.-]/g, '_');
  return {
    unlock,
    loadIdentity: () => loadKeyFile(join(path, 'key.json')),
    openFileStore: async () => folderStore(join(path, 'model-files')),
    checkpoints: checkpointFiles(join(path, 'runs', server)),
    tuning: tuningFile(join(path, 'tuning.json')),
  };
}
