/** `window.oneroundStatus`: the run in a few plain numbers, for tools that drive the page (`npm run demo`, tests). */
import { stepsDone, type RunState } from './run-state.ts';
import { useTrainer } from './trainer-store.ts';

export interface OneroundStatus {
  phase: RunState['phase'];
  epoch: number;
  step: number;
  steps: number;
  tokensPerSecond: number;
  loss: number | null;
  etaSeconds: number | null;
  bytesDown: number;
  bytesUp: number;
  contributionSequence: number | null;
  heldOutBefore: number | null;
  heldOutAfter: number | null;
  error: string | null;
}

declare global {
  interface Window {
    readonly oneroundStatus?: OneroundStatus;
  }
}

/** The status that a run's state amounts to. */
export function statusOf(run: RunState): OneroundStatus {
  const { figures, download, upload, outcome } = run;
  return {
    phase: run.phase,
    epoch: figures?.epoch ?? 0,
    step: stepsDone(run),
    steps: figures?.steps ?? 0,
    tokensPerSecond: figures?.tokensPerSecond ?? 0,
    loss: figures?.loss ?? null,
    etaSeconds: figures?.etaSeconds ?? null,
    bytesDown: download?.fetched ?? 0,
    bytesUp: upload?.done ?? 0,
    contributionSequence: run.sequence,
    heldOutBefore: outcome?.before ?? null,
    heldOutAfter: outcome?.after ?? null,
    error: run.phase === 'failed' ? (run.failure?.message ?? null) : null,
  };
}

/** Defines the property; it cannot be written from outside. */
export function mirrorStatus(): void {
  if (Object.hasOwn(window, 'oneroundStatus')) return;
  Object.defineProperty(window, 'oneroundStatus', { get: () => statusOf(useTrainer.getState().run) });
}
