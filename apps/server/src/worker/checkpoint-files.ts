/**
 * Runs in a folder: `<campaign>.run` holds adapter, optimiser, step, lease and - once trained - the encoded delta in V8's
 * structured-clone format, which later releases of Node read too; `<campaign>.data` the file that it trains on.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { type CheckpointStore, runOf, type StoredRun } from '@oneround/client/run';
import { readIfThere, writeWhole } from './whole-file.ts';

interface StoredFile {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Checkpoints in `folder`, which is made when it is first needed. */
export function checkpointFiles(folder: string): CheckpointStore {
  const runPath = (campaignId: string) => join(folder, `${campaignId}.run`);
  const dataPath = (campaignId: string) => join(folder, `${campaignId}.data`);
  return {
    async load(campaignId) {
      const run = await readIfThere(runPath(campaignId));
      const data = await readIfThere(dataPath(campaignId));
      return run && runOf(deserialize(run) as StoredRun, data && fileOf(deserialize(data) as StoredFile));
    },
    async save(checkpoint) {
      const run: StoredRun = { ...checkpoint, source: checkpoint.source.kind };
      await writeWhole(runPath(checkpoint.campaignId), serialize(run));
    },
    async saveOwnFile(campaignId, file) {
      const stored: StoredFile = { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
      await writeWhole(dataPath(campaignId), serialize(stored), 0o600);
    },
    async delete(campaignId) {
      await Promise.all([runPath(campaignId), dataPath(campaignId)].map((path) => rm(path, { force: true })));
    },
  };
}

function fileOf({ name, bytes }: StoredFile): File {
  return new File([bytes], name);
}
