/**
 * A screening under way. It asks for one held-out evaluation at a time and waits for each: the evaluation thread is
 * elsewhere, and takes seconds. What it asks for is a mean of deltas, under a key that says which.
 */
import type { EvaluationResult } from '@oneround/fl-core';

/** Something to evaluate that is no version. */
export interface Trial {
  key: string;
  /** How far from the start, flat, in layout order. */
  delta: Float32Array;
}

/** Gets the evaluation of a trial, sooner or later. */
export type AskTrial = (trial: Trial) => Promise<EvaluationResult>;

export class Inquiry<Found> {
  #asked: (Trial & { resolve: (result: EvaluationResult) => void }) | null = null;
  #found: Found | null = null;
  #hasAsked: () => void = () => undefined;
  #asking = this.#untilAsked();
  readonly #searching: Promise<void>;

  /** `search` begins at once, and asks as often as it needs to. */
  constructor(search: (ask: AskTrial) => Promise<Found>) {
    const ask: AskTrial = (trial) =>
      new Promise((resolve) => {
        this.#asked = { ...trial, resolve };
        this.#hasAsked();
      });
    this.#searching = search(ask).then((found) => void (this.#found = found));
    // Whoever asks next is told.
    this.#searching.catch(() => undefined);
  }

  /** What it waits for; null when the search has ended. @throws what the search threw */
  async next(): Promise<Trial | null> {
    await Promise.race([this.#asking, this.#searching]);
    return this.#asked;
  }

  /** The evaluation of the trial that was asked for; of another one it is none of its business. */
  answer(key: string, result: EvaluationResult): void {
    if (this.#asked?.key !== key) return;
    const { resolve } = this.#asked;
    this.#asked = null;
    this.#asking = this.#untilAsked();
    resolve(result);
  }

  /** What was found; null while the search goes on. */
  get found(): Found | null {
    return this.#found;
  }

  #untilAsked(): Promise<void> {
    return new Promise((resolve) => (this.#hasAsked = resolve));
  }
}
