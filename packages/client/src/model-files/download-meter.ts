/** How fast a download goes and how long it will take, told a few times a second. */
import type { DownloadProgress } from './verified-files.ts';

/** The rate is that of the last seconds, so that it follows a changing connection without flickering. */
const WINDOW_MS = 5_000;
const FIRST_RATE_MS = 1_000;
const TELL_EVERY_MS = 250;

/** Progress with its pace; both are null until there is one to speak of. */
export interface MeasuredDownload extends DownloadProgress {
  bytesPerSecond: number | null;
  secondsLeft: number | null;
}

/** Passes progress on: at once when it starts, breaks off, goes on or is done, else every quarter of a second. */
export class DownloadMeter {
  readonly #tell: (download: MeasuredDownload) => void;
  readonly #now: () => number;
  #samples: { at: number; fetched: number }[] = [];
  #told: { at: number; interrupted: boolean } | null = null;

  constructor(tell: (download: MeasuredDownload) => void, now = () => performance.now()) {
    this.#tell = tell;
    this.#now = now;
  }

  report(progress: DownloadProgress): void {
    const at = this.#now();
    const { done, total, interrupted } = progress;
    const isNews = done === total || this.#told?.interrupted !== interrupted;
    if (!isNews && at - this.#told!.at < TELL_EVERY_MS) return;
    this.#told = { at, interrupted };
    const bytesPerSecond = this.#rate(progress, at);
    const secondsLeft = bytesPerSecond ? (total - done) / bytesPerSecond : null;
    this.#tell({ ...progress, bytesPerSecond, secondsLeft });
  }

  #rate({ fetched, interrupted }: DownloadProgress, at: number): number | null {
    // A pause is not a slow connection: after it the measuring starts anew.
    if (interrupted) this.#samples = [];
    this.#samples.push({ at, fetched });
    while (this.#samples.length > 2 && at - this.#samples[1]!.at >= WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0]!;
    if (interrupted || at - first.at < FIRST_RATE_MS) return null;
    return (1000 * (fetched - first.fetched)) / (at - first.at);
  }
}
