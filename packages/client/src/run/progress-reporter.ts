/** Tells the server what this client does: the newest state, as often as the server wants, at most once a second. */
import type { Progress } from '@oneround/fl-core';

const INTERVAL_MS = 1000;

type Figures = Omit<Progress, 'leaseId'>;

/** Merges what it is told and sends it when the interval allows; a new phase does not wait longer than a second. */
export class ProgressReporter {
  readonly #send: (figures: Figures) => Promise<number | null>;
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
  #sentPhase: Figures['phase'] | null = null;
  #sentAt = -Infinity;
  #pauseMs = INTERVAL_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `send` resolves with the milliseconds until the server wants to hear again, or null when it did not say. */
  constructor(send: (figures: Figures) => Promise<number | null>) {
    this.#send = send;
  }

  report(change: Partial<Figures>): void {
    this.#figures = { ...this.#figures, ...change };
    const isNewPhase = this.#figures.phase !== this.#sentPhase;
    if (this.#timer !== undefined && !isNewPhase) return;
    clearTimeout(this.#timer);
    const wait = this.#sentAt + (isNewPhase ? INTERVAL_MS : this.#pauseMs) - performance.now();
    if (wait <= 0) this.#flush();
    else this.#timer = setTimeout(() => this.#flush(), wait);
  }

  /** What was not sent by now is not sent. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #flush(): void {
    this.#timer = undefined;
    this.#sentAt = performance.now();
    this.#sentPhase = this.#figures.phase;
    void this.#send(this.#figures).then((pauseMs) => {
      this.#pauseMs = Math.max(INTERVAL_MS, pauseMs ?? 0);
    });
  }
}
