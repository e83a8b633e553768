/** Tells the server what this client does: the newest state, at most once a second. */
import type { Progress } from '@oneround/fl-core';

const INTERVAL_MS = 1000;

type Figures = Omit<Progress, 'leaseId'>;

/** Merges what it is told and sends it when the interval allows; the last word always goes out. */
export class ProgressReporter {
  readonly #send: (figures: Figures) => void;
  #figures: Figures = {
    phase: 'downloading',
    epoch: 0,
    epochs: 0,
    step: 0,
    steps: 0,
    tokensPerSecond: 0,
    loss: null,
    bytesDown: 0,
  };
  #sentAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (figures: Figures) => void) {
    this.#send = send;
  }

  report(change: Partial<Figures>): void {
    this.#figures = { ...this.#figures, ...change };
    if (this.#timer !== undefined) return;
    const wait = this.#sentAt + INTERVAL_MS - performance.now();
    if (wait <= 0) this.#flush();
    else this.#timer = setTimeout(() => this.#flush(), wait);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #flush(): void {
    this.#timer = undefined;
    this.#sentAt = performance.now();
    this.#send(this.#figures);
  }
}
