import type { StepFigures } from '@oneround/client/run';
import { describe, expect, it } from 'vitest';
import type { TrainerEvent } from '../trainer/messages.ts';
import { idleRun, isRunning, reduceRun, stepsDone } from './run-state.ts';
import { currentStep, stepShare } from './run-steps.tsx';
import { statusOf } from './status-mirror.ts';

const figures: StepFigures = {
  step: 2,
  steps: 4,
  epoch: 1,
  epochs: 2,
  loss: 1.5,
  tokensPerSecond: 900,
  etaSeconds: 3,
  stepMs: 20,
};

const story: TrainerEvent[] = [
  { type: 'phase', phase: 'starting' },
  { type: 'backend', name: 'wasm', device: 'SIMD', fallbackReason: 'no GPU' },
  { type: 'lease', shardIndex: 2, examples: 40, resumedAtStep: 0, round: null },
  { type: 'phase', phase: 'downloading' },
  {
    type: 'download',
    ...{ done: 50, total: 100, fetched: 50, storage: 'opfs', unkept: 0, interrupted: false },
    ...{ bytesPerSecond: 25, secondsLeft: 2 },
  },
  { type: 'phase', phase: 'training' },
  { type: 'steps', figures, points: Float32Array.of(1, 2, 2, 1.5) },
  { type: 'phase', phase: 'uploading' },
  { type: 'upload', done: 64, total: 96 },
  { type: 'accepted', sequence: 8 },
  { type: 'phase', phase: 'merging' },
  { type: 'scored', version: 8, before: 2.914, after: 2.847 },
  { type: 'phase', phase: 'merged' },
];

const after = (count: number) => story.slice(0, count).reduce(reduceRun, idleRun);

describe('a run on the page', () => {
  it('goes through download, train, upload, merged', () => {
    expect([0, 5, 7, 9, 11, 13].map((count) => currentStep(after(count)))).toEqual([0, 0, 1, 2, 3, 4]);
    expect(stepShare(after(5), 0)).toBe(0.5);
    expect(stepShare(after(7), 1)).toBe(0.5);
    expect(stepShare(after(9), 2)).toBeCloseTo(2 / 3, 12);
  });

  it('collects the loss points', () => {
    expect(after(7).points).toEqual({ steps: [1, 2], losses: [2, 1.5] });
  });

  it('is busy until it is merged', () => {
    expect(isRunning(idleRun)).toBe(false);
    expect(isRunning(after(11))).toBe(true);
    expect(isRunning(after(13))).toBe(false);
  });

  it('shows the step it was at right after a reload', () => {
    const resumed = reduceRun(idleRun, { type: 'lease', shardIndex: 0, examples: 4, resumedAtStep: 23, round: null });
    expect(stepsDone(resumed)).toBe(23);
    expect(statusOf(resumed).step).toBe(23);
  });

  it('starts a new curve when the shard changes', () => {
    const moved = reduceRun(after(7), { type: 'lease', shardIndex: 3, examples: 4, resumedAtStep: 0, round: null });
    expect(moved.points.steps).toEqual([]);
    expect(stepsDone(moved)).toBe(0);
  });

  it('begins anew with each round', () => {
    const between = [
      { type: 'lease', shardIndex: 2, examples: 40, resumedAtStep: 0, round: { number: 1, count: 3 } } as const,
      ...story.slice(3, 10),
      { type: 'phase', phase: 'between-rounds' } as const,
    ].reduce(reduceRun, idleRun);
    expect(between).toMatchObject({ phase: 'between-rounds', sequence: 8 });
    expect([isRunning(between), currentStep(between)]).toEqual([true, 3]);
    const withdrawn = reduceRun(between, { type: 'not-merged', why: 'withdrawn' });
    expect([withdrawn.notMerged, currentStep(withdrawn)]).toEqual(['withdrawn', 3]);
    const second = { type: 'lease', shardIndex: 1, examples: 40, resumedAtStep: 0, round: { number: 2, count: 3 } };
    const next = reduceRun(withdrawn, second as TrainerEvent);
    expect(next).toMatchObject({ sequence: null, notMerged: null, upload: null, lease: { round: { number: 2 } } });
    expect(currentStep(next)).toBe(0);
  });

  it('tells tools what they need, as plain JSON', () => {
    const status = statusOf(after(13));
    expect(JSON.parse(JSON.stringify(status))).toEqual(status);
    expect(status).toMatchObject({
      phase: 'merged',
      contributionSequence: 8,
      heldOutBefore: 2.914,
      heldOutAfter: 2.847,
      bytesUp: 64,
      bytesDown: 50,
      error: null,
    });
    const failed = reduceRun(after(7), { type: 'failed', failure: { message: 'no', remedy: 'retry' } });
    expect(statusOf(failed).error).toBe('no');
  });
});
