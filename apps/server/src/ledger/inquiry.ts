/**
 * A screening under way. It asks for one held-out evaluation at a time and waits for each: the evaluation thread is
 * elsewhere, and takes seconds. What it asks for is a mean of deltas, under a key that says which.
 */
import type { EvaluationResult } from '@oneround/fl-core';

/** Something to evaluate that is no version. */
export interface Trial {
  key: string;
  /** The mean of the terms of its contributions, times its scale. */
  mean: Float32Array;
}

/** Gets the evaluation of a trial, sooner or later. */
export type AskTrial = (trial: Trial) => Promise<EvaluationResult>;

export class Inquiry<Found> {
  #asked: (Trial & { resolve: (result: EvaluationResult) => void }) | null = null;
  #found: Found | null = null;
  #failure: { error: unknown } | null = null;

  /** `search` begins at once, and asks as often as it needs to. */
  constructor(search: (ask: AskTrial) => Promise<Found>) {
    const ask: AskTrial = (trial) => new Promise((resolve) => (this.#asked = { ...trial, resolve }));
    search(ask).then(
      (found) => (this.#found = found),
      (error: unknown) => (this.#failure = { error }),
    );
  }

  /** What it waits for; null while it is not waiting. */
  get asked(): Trial | null {
    return this.#asked;
  }

  /** The evaluation of the trial that was asked for; of another one it is none of its business. */
  answer(key: string, result: EvaluationResult): void {
    if (this.#asked?.key !== key) return;
    const { resolve } = this.#asked;
    this.#asked = null;
    resolve(result);
  }

  /** What was found; null while the search goes on. @throws what the search threw */
  get found(): Found | null {
    if (this.#failure) throw this.#failure.error;
    return this.#found;
  }
}
