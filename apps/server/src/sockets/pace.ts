/** Delivers what has gathered: at once after silence, then with a pause between, so that what happens meanwhile goes together. */

export interface PaceOptions {
  /** Delivers everything, or as much as fits; never rejects. */
  deliver: () => Promise<void>;
  /** True while there is more. */
  hasMore: () => boolean;
  /** Between two deliveries, at least. */
  pauseMs: number;
}

/** A delivery that took long is followed by a pause this many times as long: others need the event loop too. */
const REST = 3;

export class Pace {
  readonly #options: PaceOptions;
  #isRunning = false;
  #isStopped = false;
  #running = Promise.resolve();
  #endPause: () => void = () => undefined;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** There is something to deliver. */
  wake(): void {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** Delivers what there is, once, and nothing after. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endPause();
    await this.#running;
    if (this.#options.hasMore()) await this.#options.deliver();
  }

  async #run(): Promise<void> {
    const { deliver, hasMore, pauseMs } = this.#options;
    while (hasMore() && !this.#isStopped) {
      const began = performance.now();
      await deliver();
      const tookMs = performance.now() - began;
      if (!this.#isStopped) await this.#pause(Math.max(pauseMs, REST * tookMs));
    }
    this.#isRunning = false;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
