/** What a run continues from after a reload, a crash or a reboot. */
import type { TrainerCheckpoint } from '@oneround/lora/training';

/** What to train on. A file of the volunteer's own never leaves the device. */
export type DataSource = { kind: 'shard' } | { kind: 'own'; file: File };

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
  /** The version that it is trained from, in a campaign of many rounds: in another round it is worthless. */
  baseVersion?: number;
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

/** As a store keeps it: the file, which does not change with each checkpoint, has an entry of its own. */
export type StoredRun = Omit<RunCheckpoint, 'source'> & { source: DataSource['kind'] };

/** Keeps one run per campaign. */
export interface CheckpointStore {
  /**
   * The stored run, or null; null also when the file it trains on could not be kept, unless the training is done: the upload
   * needs no file.
   */
  load(campaignId: string): Promise<RunCheckpoint | null>;
  /** @throws DOMException when the device is full */
  save(checkpoint: RunCheckpoint): Promise<void>;
  /** Keeps the file that a run trains on, for its checkpoints. @throws DOMException when the device is full */
  saveOwnFile(campaignId: string, file: File): Promise<void>;
  /** Forgets the run: contributed, given back, or of no use any more. */
  delete(campaignId: string): Promise<void>;
}

/** A stored run with its file, as `CheckpointStore.load` gives it. */
export function runOf(run: StoredRun, file: File | null): RunCheckpoint | null {
  if (run.source === 'shard') return { ...run, source: { kind: 'shard' } };
  if (!file && !run.trained) return null;
  return { ...run, source: { kind: 'own', file: file ?? new File([], '') } };
}
