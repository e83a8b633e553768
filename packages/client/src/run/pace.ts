/** How fast training goes, over a sliding window of steps, pauses of the power setting included. */

/** Steps in the window: long enough to be calm, short enough to follow a change of power. */
const WINDOW = 30;
/** Steps before a figure is shown; the first compiles kernels and does not count once there are others. */
const FIRST_FIGURE = 3;

interface PacedStep {
  tokens: number;
  /** From the end of the step before to the end of this one. */
  wallMs: number;
  computeMs: number;
}

/** Collects finished steps; every figure is null until there are enough of them. */
export class Pace {
  readonly #steps: PacedStep[] = [];
  #seen = 0;

  add(step: PacedStep): void {
    this.#seen++;
    if (this.#seen === 2) this.#steps.length = 0;
    this.#steps.push(step);
    if (this.#steps.length > WINDOW) this.#steps.shift();
  }

  get tokensPerSecond(): number | null {
    const wallMs = this.#sum('wallMs');
    return this.#seen < FIRST_FIGURE || wallMs <= 0 ? null : (this.#sum('tokens') / wallMs) * 1000;
  }

  /** Mean computing time of a step. */
  get stepMs(): number | null {
    return this.#seen < FIRST_FIGURE ? null : this.#sum('computeMs') / this.#steps.length;
  }

  /** Seconds that `remaining` steps will take at this pace. */
  etaSeconds(remaining: number): number | null {
    return this.#seen < FIRST_FIGURE ? null : ((this.#sum('wallMs') / this.#steps.length) * remaining) / 1000;
  }

  /** Forgets the window, not the first step: call after a change of power or a pause. */
  restart(): void {
    this.#steps.length = 0;
    this.#seen = Math.min(this.#seen, 1);
  }

  #sum(key: keyof PacedStep): number {
    return this.#steps.reduce((total, step) => total + step[key], 0);
  }
}
