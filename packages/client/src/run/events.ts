/** What a run tells whoever shows it. Numbers come batched (a few messages a second), so that a fast model floods nobody. */
import type { NotMerged } from '@oneround/fl-core';
import type { TrainingDevice } from '@oneround/lora/training';
import type { MeasuredDownload } from '../model-files/index.ts';

/** What a run is doing, in the order in which it usually happens. */
export type RunPhase =
  | 'starting'
  | 'waiting' // no shard is free right now
  | 'downloading'
  | 'preparing' // tokenising, bringing weights to the device
  | 'training'
  | 'paused'
  | 'uploading'
  | 'between-rounds' // durable on the server, which waits for others before the next round
  | 'merging' // durable on the server, not yet in a version that was scored
  | 'merged'
  | 'stopped';

/** The newest figures of the training loop. */
export interface StepFigures {
  step: number;
  steps: number;
  epoch: number;
  epochs: number;
  loss: number;
  tokensPerSecond: number | null;
  etaSeconds: number | null;
  /** Pure computing time of a step, without the pauses of the power setting; null until measured. */
  stepMs: number | null;
}

/** One thing that happened in a run. */
export type RunEvent =
  | { type: 'phase'; phase: RunPhase; reason?: string }
  | { type: 'backend'; name: TrainingDevice['name']; device: string; fallbackReason?: string }
  | {
      type: 'lease';
      shardIndex: number | null;
      examples: number | null;
      resumedAtStep: number;
      /** From 1, of so many; null in a campaign of one round. */
      round: { number: number; count: number } | null;
    }
  | ({ type: 'download' } & MeasuredDownload)
  /** Examples that are tokens by now. */
  | { type: 'tokenised'; done: number; total: number }
  /** Examples that are too long for the campaign: left out, or without their last turns. */
  | { type: 'dropped'; records: number; shortened: number }
  /** `points` holds (step, loss) pairs since the last message. */
  | { type: 'steps'; figures: StepFigures; points: Float32Array }
  | { type: 'saved'; at: number }
  | { type: 'upload'; done: number; total: number }
  | { type: 'connection'; connected: boolean }
  | { type: 'accepted'; sequence: number }
  /** No version holds the contribution: `set-aside`, it is judged again when the campaign closes; otherwise for good. */
  | { type: 'not-merged'; why: NotMerged }
  | { type: 'scored'; version: number; before: number | null; after: number | null };

/** Hears what happens. */
export type Emit = (event: RunEvent) => void;
