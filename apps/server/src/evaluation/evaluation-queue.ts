/**
 * Keeps a campaign's held-out figures coming: asks the ledger what has none, has the thread score it, records the result.
 * The ledger is the queue, so nothing is lost when the thread or the server dies.
 */
import { Refusal, type EvaluationResult } from '@oneround/fl-core';
import type { EvaluationSubject, ModelChange } from '../ledger/index.ts';
import type { Thread } from '../threads/thread.ts';
import type { Evaluator } from './evaluator.ts';

/** After a failure it looks again, and each time that fails after twice as long, up to a minute. */
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;

export interface EvaluationQueueOptions {
  /** What has no evaluation, most urgent first. */
  unevaluated: () => Promise<EvaluationSubject[]>;
  change: (subject: EvaluationSubject) => Promise<ModelChange>;
  /** `ms` is how long the scoring took. */
  record: (subject: EvaluationSubject, result: EvaluationResult, ms: number) => Promise<void>;
  startThread: () => Thread<Evaluator>;
  /** Told when the thread died or a subject could not be scored. */
  onError: (error: Error) => void;
}

export interface EvaluationQueue {
  /** Looks for work, unless it pauses after a failure; called whenever there may be some. */
  wake(): void;
  /** True once a thread has loaded its model, or there was nothing to evaluate. */
  isUp(): boolean;
  stop(): Promise<void>;
}

/** Starts the thread at the first `wake` and works until `stop`. */
export function startEvaluationQueue(options: EvaluationQueueOptions): EvaluationQueue {
  let thread: Thread<Evaluator> | null = null;
  let up = false;
  let stopped = false;
  let again = false;
  let running: Promise<void> | null = null;
  let pauseMs = FIRST_PAUSE_MS;
  let pausing: NodeJS.Timeout | null = null;

  const work = async () => {
    for (;;) {
      if (stopped) return;
      again = false;
      const [subject] = await options.unevaluated();
      if (stopped) return;
      if (subject) {
        thread ??= options.startThread();
        up = await thread.call.isLoaded();
        const change = await options.change(subject);
        const began = performance.now();
        const result = await thread.call.score(change);
        await options.record(subject, result, performance.now() - began);
        pauseMs = FIRST_PAUSE_MS;
      } else {
        up = true;
        if (!again) return;
      }
    }
  };
  const run = async () => {
    try {
      await work();
    } catch (error) {
      if (stopped) return;
      options.onError(error instanceof Error ? error : new Error(String(error)));
      // What the ledger refuses, as on a full disk, says nothing against a thread that has loaded its model.
      if (!(error instanceof Refusal)) {
        await thread?.stop();
        thread = null;
      }
      pausing = setTimeout(endPause, pauseMs).unref();
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    } finally {
      running = null;
    }
  };
  const endPause = () => {
    pausing = null;
    queue.wake();
  };
  const queue: EvaluationQueue = {
    wake() {
      if (stopped || pausing) return;
      if (running) again = true;
      else running = run();
    },
    isUp: () => up,
    async stop() {
      stopped = true;
      if (pausing) clearTimeout(pausing);
      await thread?.stop();
      await running;
    },
  };
  return queue;
}
