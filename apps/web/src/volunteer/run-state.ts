/** A run as the page sees it: a pure function of the trainer's events. */
import type { MeasuredDownload } from '@oneround/client/model-files';
import type { StepFigures } from '@oneround/client/run';
import type { NotMerged } from '@oneround/fl-core';
import type { BackendName } from '@oneround/lora/evaluation';
import type { RunFailure, TrainerEvent, TrainerPhase } from '../trainer/messages.ts';

export interface RunState {
  phase: TrainerPhase | 'idle';
  /** What the trainer said about the phase. */
  reason: string | null;
  backend: { name: BackendName; device: string; fallbackReason?: string } | null;
  lease: Omit<Extract<TrainerEvent, { type: 'lease' }>, 'type'> | null;
  download: MeasuredDownload | null;
  /** Examples that are tokens by now. */
  tokenised: { done: number; total: number } | null;
  /** Examples that are too long: left out, or without their last turns. */
  dropped: number;
  shortened: number;
  figures: StepFigures | null;
  /** Loss of each step; `steps[i]` belongs to `losses[i]`. */
  points: { steps: number[]; losses: number[] };
  savedAt: number | null;
  upload: { done: number; total: number } | null;
  connected: boolean;
  /** Place of the contribution in the ledger. */
  sequence: number | null;
  /** Why no version holds the contribution, once that is known. */
  notMerged: NotMerged | null;
  outcome: { version: number; before: number | null; after: number | null } | null;
  failure: RunFailure | null;
  /** Asked for, not reached yet. */
  pauseAtEpoch: boolean;
}

/** Before anything happened. */
export const idleRun: RunState = {
  phase: 'idle',
  reason: null,
  backend: null,
  lease: null,
  download: null,
  tokenised: null,
  dropped: 0,
  shortened: 0,
  figures: null,
  points: { steps: [], losses: [] },
  savedAt: null,
  upload: null,
  connected: true,
  sequence: null,
  notMerged: null,
  outcome: null,
  failure: null,
  pauseAtEpoch: false,
};

/** The state after an event of the trainer. */
export function reduceRun(state: RunState, event: TrainerEvent): RunState {
  switch (event.type) {
    case 'inspected':
      return state;
    case 'phase':
      return {
        ...state,
        phase: event.phase,
        reason: event.reason ?? null,
        pauseAtEpoch: state.pauseAtEpoch && event.phase === 'training',
      };
    case 'backend': {
      const { type: _, ...backend } = event;
      return { ...state, backend };
    }
    case 'lease': {
      const { type: _, ...lease } = event;
      // Whatever was on the chart belongs to the run before; a resumed run sends its points again.
      const fresh = {
        figures: null,
        points: { steps: [], losses: [] },
        tokenised: null,
        dropped: 0,
        shortened: 0,
        upload: null,
        sequence: null,
        notMerged: null,
        outcome: null,
      };
      return { ...state, lease, ...fresh };
    }
    case 'download': {
      const { type: _, ...download } = event;
      return { ...state, download };
    }
    case 'tokenised':
      return { ...state, tokenised: { done: event.done, total: event.total } };
    case 'dropped':
      return { ...state, dropped: event.records, shortened: event.shortened };
    case 'steps':
      return { ...state, figures: event.figures, points: extended(state.points, event.points) };
    case 'saved':
      return { ...state, savedAt: event.at };
    case 'upload':
      return { ...state, upload: { done: event.done, total: event.total } };
    case 'connection':
      return { ...state, connected: event.connected };
    case 'accepted':
      return { ...state, sequence: event.sequence };
    case 'not-merged':
      return { ...state, notMerged: event.why };
    case 'scored': {
      const { type: _, ...outcome } = event;
      return { ...state, outcome };
    }
    case 'failed':
      return { ...state, phase: 'failed', failure: event.failure };
  }
}

function extended(points: RunState['points'], added: Float32Array): RunState['points'] {
  const steps = [...points.steps];
  const losses = [...points.losses];
  for (let i = 0; i + 1 < added.length; i += 2) {
    steps.push(added[i]!);
    losses.push(added[i + 1]!);
  }
  return { steps, losses };
}

/** Steps done, also right after a reload, before the first new one. */
export function stepsDone(state: RunState): number {
  return state.figures?.step ?? state.lease?.resumedAtStep ?? 0;
}

/** Whether a worker is busy with the run. */
export function isRunning({ phase }: RunState): boolean {
  return !['idle', 'merged', 'stopped', 'failed'].includes(phase);
}
