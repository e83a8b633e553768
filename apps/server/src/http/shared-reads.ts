/**
 * Answers that many ask for at once, each read anew: one reading at a time for a key, and whoever asks while it is under way
 * shares the next one. An answer is never older than its question.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export class SharedReads<Value> {
  readonly #read: (key: string) => Promise<Value>;
  readonly #pauseMs: number;
  /** Readings under way, each with the pause after it. */
  readonly #current = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<Value>>();

  /** A key is not read again for `pauseMs` after. */
  constructor(read: (key: string) => Promise<Value>, pauseMs: number) {
    this.#read = read;
    this.#pauseMs = pauseMs;
  }

  /** Rejects as the reading does. */
  get(key: string): Promise<Value> {
    const next = this.#next.get(key);
    if (next) return next;
    const current = this.#current.get(key);
    if (!current) return this.#start(key);
    const following = current.then(() => this.#start(key));
    this.#next.set(key, following);
    return following;
  }

  #start(key: string): Promise<Value> {
    this.#next.delete(key);
    const reading = this.#read(key);
    const over = async () => {
      await reading.catch(() => undefined);
      await sleep(this.#pauseMs, undefined, { ref: false });
      this.#current.delete(key);
    };
    this.#current.set(key, over());
    return reading;
  }
}
