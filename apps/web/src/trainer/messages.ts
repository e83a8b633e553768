/**
 * Everything that passes between the page and its trainer worker: one union each way, told apart by `type`.
 * Numbers come batched (a few messages a second), so that a fast model never floods the page.
 */
import type { DataSetFormat } from '@oneround/lora/data-set';
import type { BackendName } from '@oneround/lora/evaluation';
import type { MeasuredDownload } from '../model-files/index.ts';

/** `auto` takes WebGPU when it is there and is not a program, else WASM. */
export type BackendPreference = 'auto' | BackendName;

/** What to train on. A file of the volunteer's own never leaves the device; the worker reads it. */
export type DataSource = { kind: 'shard' } | { kind: 'own'; file: File };

/** What a file of the volunteer's own holds, or why it cannot be used. */
export type Inspection =
  | { ok: true; format: DataSetFormat; examples: number; rowsWithoutAnswer: number; ignoredFields: string[] }
  | { ok: false; problem: string };

/** Page to worker. */
export type TrainerCommand =
  | { type: 'inspect'; request: number; file: File }
  | {
      type: 'start';
      campaignId: string;
      source: DataSource;
      backend: BackendPreference;
      duty: number;
      /** The token of an invite link, for a private campaign. */
      invite?: string | undefined;
    }
  | { type: 'duty'; duty: number }
  | { type: 'pause'; when: 'now' | 'epoch' }
  | { type: 'resume' }
  | { type: 'stop' }
  /** The page is hidden or going away: keep what there is. */
  | { type: 'checkpoint' };

/** What the run is doing, in the order in which it usually happens. */
export type TrainerPhase =
  | 'starting'
  | 'waiting' // no shard is free right now
  | 'downloading'
  | 'preparing' // tokenising, uploading weights to the device
  | 'training'
  | 'paused'
  | 'uploading'
  | 'merging' // durable on the server, not yet in a version that was scored
  | 'merged'
  | 'stopped'
  | 'failed';

/** Why a run ended without a contribution, in words for the person, and what can be done about it. */
export interface RunFailure {
  message: string;
  /**
   * `retry`: the same again may work. `other-backend`: the GPU failed, WASM may not. `busy`: another tab trains.
   * `final`: trying again changes nothing.
   */
  remedy: 'retry' | 'other-backend' | 'busy' | 'final';
}

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

/** Worker to page. */
export type TrainerEvent =
  | { type: 'inspected'; request: number; inspection: Inspection }
  | { type: 'phase'; phase: Exclude<TrainerPhase, 'failed'>; reason?: string }
  | { type: 'backend'; name: BackendName; device: string; fallbackReason?: string }
  | { type: 'lease'; shardIndex: number | null; examples: number | null; resumedAtStep: number }
  | ({ type: 'download' } & MeasuredDownload)
  /** Examples that are too long for the campaign: left out, or without their last turns. */
  | { type: 'dropped'; records: number; shortened: number }
  /** `points` holds (step, loss) pairs since the last message. */
  | { type: 'steps'; figures: StepFigures; points: Float32Array }
  | { type: 'saved'; at: number }
  | { type: 'upload'; done: number; total: number }
  | { type: 'connection'; connected: boolean }
  | { type: 'accepted'; sequence: number }
  | { type: 'scored'; version: number; before: number | null; after: number | null }
  | { type: 'failed'; failure: RunFailure };
