/**
 * What a reload needs to go on: adapter, optimiser, step, lease and - once trained - the encoded delta.
 * One checkpoint per campaign, in IndexedDB. The big part and its short description are separate entries, so that the
 * page can offer "resume" without reading megabytes; so is a file of the volunteer's own, which is written once a run.
 */
import { type CheckpointStore, type RunCheckpoint, runOf, type StoredRun } from '@oneround/client/run';
import { createStore, delMany, get, set, setMany } from 'idb-keyval';

const store = createStore('oneround-checkpoints', 'checkpoints');

/** What the page shows before anything is loaded. */
export interface CheckpointSummary {
  step: number;
  steps: number;
  paused: boolean;
  savedAt: number;
  ownFile: string | null;
}

/** This browser's runs. */
export const checkpoints: CheckpointStore = {
  async load(campaignId) {
    const run = await get<StoredRun>(runKey(campaignId), store);
    return run ? runOf(run, (await get<File>(fileKey(campaignId), store)) ?? null) : null;
  },
  async save(checkpoint) {
    const { campaignId, source } = checkpoint;
    const run: StoredRun = { ...checkpoint, source: source.kind };
    await setMany(
      [
        [runKey(campaignId), run],
        [summaryKey(campaignId), summaryOf(checkpoint)],
      ],
      store,
    );
  },
  saveOwnFile: (campaignId, file) => set(fileKey(campaignId), file, store),
  delete: (campaignId) => delMany([runKey(campaignId), summaryKey(campaignId), fileKey(campaignId)], store),
};

/** The description of the stored run, or null. */
export async function loadCheckpointSummary(campaignId: string): Promise<CheckpointSummary | null> {
  return (await get<CheckpointSummary>(summaryKey(campaignId), store)) ?? null;
}

function summaryOf({ trained, trainer, steps, paused, savedAt, source }: RunCheckpoint): CheckpointSummary {
  return {
    step: trained ? steps : (trainer?.step ?? 0),
    steps,
    paused,
    savedAt,
    ownFile: source.kind === 'own' ? source.file.name : null,
  };
}

const runKey = (campaignId: string) => `run:${campaignId}`;
const fileKey = (campaignId: string) => `file:${campaignId}`;
const summaryKey = (campaignId: string) => `summary:${campaignId}`;
