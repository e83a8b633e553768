/**
 * What a reload needs to go on: adapter, optimiser, step, lease and - once trained - the encoded delta.
 * One checkpoint per campaign, in IndexedDB. The big part and its short description are separate entries, so that the
 * page can offer "resume" without reading megabytes; so is a file of the volunteer's own, which is written once a run.
 */
import type { TrainerCheckpoint } from '@oneround/lora/training';
import { createStore, delMany, get, set, setMany } from 'idb-keyval';
import type { DataSource } from './messages.ts';

const store = createStore('oneround-checkpoints', 'checkpoints');

/** A trained and encoded delta with the facts that go with it. */
export interface TrainedDelta {
  bytes: Uint8Array<ArrayBuffer>;
  sha256: string;
  labelTokens: number;
  examples: number;
  steps: number;
  localLoss: number;
  tokensPerSecond: number;
}

/** Everything that a run continues from. */
export interface RunCheckpoint {
  campaignId: string;
  /** `startHash` of the campaign: another start makes it worthless. */
  startHash: string;
  leaseId: string;
  /** SHA-256 of the leased shard; null for a file of the volunteer's own. */
  shardSha256: string | null;
  source: DataSource;
  contributionId: string;
  trainer: TrainerCheckpoint | null;
  trained: TrainedDelta | null;
  /** (step, loss) pairs of the whole run, for the chart. */
  points: Float32Array;
  steps: number;
  trainingMs: number;
  bytesDown: number;
  /** The volunteer pressed Pause: do not go on unasked. */
  paused: boolean;
  savedAt: number;
}

/** The checkpoint without the file, which has an entry of its own. */
type StoredRun = Omit<RunCheckpoint, 'source'> & { source: DataSource['kind'] };

/** What the page shows before anything is loaded. */
export interface CheckpointSummary {
  step: number;
  steps: number;
  paused: boolean;
  savedAt: number;
  ownFile: string | null;
}

/** @throws DOMException when the device is full */
export async function saveCheckpoint(checkpoint: RunCheckpoint): Promise<void> {
  const { campaignId, trainer, steps, paused, savedAt, source } = checkpoint;
  const summary: CheckpointSummary = {
    step: checkpoint.trained ? steps : (trainer?.step ?? 0),
    steps,
    paused,
    savedAt,
    ownFile: source.kind === 'own' ? source.file.name : null,
  };
  const run: StoredRun = { ...checkpoint, source: source.kind };
  await setMany(
    [
      [runKey(campaignId), run],
      [summaryKey(campaignId), summary],
    ],
    store,
  );
}

/**
 * Keeps the file that a run trains on, for its checkpoints.
 * @throws DOMException when the device is full
 */
export async function saveOwnFile(campaignId: string, file: File): Promise<void> {
  await set(fileKey(campaignId), file, store);
}

/**
 * The stored run of a campaign, or null; null also when the file it trains on could not be kept, unless the training is
 * done: the upload needs no file.
 */
export async function loadCheckpoint(campaignId: string): Promise<RunCheckpoint | null> {
  const run = await get<StoredRun>(runKey(campaignId), store);
  if (!run) return null;
  if (run.source === 'shard') return { ...run, source: { kind: 'shard' } };
  const file = await get<File>(fileKey(campaignId), store);
  if (!file && !run.trained) return null;
  return { ...run, source: { kind: 'own', file: file ?? new File([], '') } };
}

/** The description of the stored run, or null. */
export async function loadCheckpointSummary(campaignId: string): Promise<CheckpointSummary | null> {
  return (await get<CheckpointSummary>(summaryKey(campaignId), store)) ?? null;
}

/** Forgets the run: contributed, given back, or of no use any more. */
export async function deleteCheckpoint(campaignId: string): Promise<void> {
  await delMany([runKey(campaignId), summaryKey(campaignId), fileKey(campaignId)], store);
}

const runKey = (campaignId: string) => `run:${campaignId}`;
const fileKey = (campaignId: string) => `file:${campaignId}`;
const summaryKey = (campaignId: string) => `summary:${campaignId}`;
