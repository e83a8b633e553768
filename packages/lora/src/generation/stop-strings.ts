/** Ends a text at the first of several strings, though text comes in pieces and a string may lie across them. */

/** Passes text on up to the stop string that is complete first; of two that end together the longer one counts. */
export class StopStrings {
  readonly #stops: readonly string[];
  /** The end of the text so far that may yet become a stop string. */
  #held = '';

  /** Empty strings stop nothing. */
  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  /** The text that is certain now, and whether a stop string ended it. */
  push(piece: string): { text: string; stopped: boolean } {
    const text = this.#held + piece;
    const found = this.#stops
      .map((stop) => ({ begin: text.indexOf(stop), length: stop.length }))
      .filter(({ begin }) => begin >= 0)
      .toSorted((a, b) => a.begin + a.length - (b.begin + b.length) || a.begin - b.begin);
    if (found[0]) return { text: text.slice(0, found[0].begin), stopped: true };
    const held = Math.max(0, ...this.#stops.map((stop) => overlap(text, stop)));
    this.#held = text.slice(text.length - held);
    return { text: text.slice(0, text.length - held), stopped: false };
  }

  /** What was held back: no stop string will come of it any more. */
  end(): string {
    return this.#held;
  }
}

/** Length of the longest end of `text` that `stop` begins with. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
