/** Lines of the log that strangers can provoke: the first of a kind at once, then at most one a minute, with a count. */

const PAUSE_MS = 60_000;

export class SparseLines {
  readonly #now: () => number;
  /** By kind: when one was written, and how many were not since. */
  readonly #kinds = new Map<string, { writtenAt: number; unwritten: number }>();

  /** `now`: milliseconds on any clock. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Calls `write`, unless it did so for this kind a moment ago; `others` are those that it was not called for since. */
  tell(kind: string, write: (others: number) => void): void {
    const last = this.#kinds.get(kind);
    if (last && this.#now() - last.writtenAt < PAUSE_MS) {
      last.unwritten++;
      return;
    }
    this.#kinds.set(kind, { writtenAt: this.#now(), unwritten: 0 });
    write(last?.unwritten ?? 0);
  }
}
