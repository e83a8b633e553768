/** What the volunteer wants of a run, as the training loop asks for it between steps. */

/** Shared by the worker's message handler (which writes) and the session (which waits). */
export class RunControl {
  readonly #stop = new AbortController();
  #pause: 'no' | 'now' | 'epoch' = 'no';
  #saveAsked = false;
  #duty: number;
  #waiting: (() => void)[] = [];

  constructor(duty: number) {
    this.#duty = duty;
  }

  /** Aborts when the volunteer stops the run. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  get duty(): number {
    return this.#duty;
  }

  setDuty(duty: number): void {
    this.#duty = duty;
    this.wake();
  }

  /** After `epoch` the loop goes on until an epoch ends. */
  pause(when: 'now' | 'epoch'): void {
    this.#pause = when;
    this.wake();
  }

  resume(): void {
    this.#pause = 'no';
    this.wake();
  }

  stop(): void {
    this.#stop.abort(new DOMException('The volunteer stopped the run.', 'AbortError'));
    this.wake();
  }

  askForSave(): void {
    this.#saveAsked = true;
    this.wake();
  }

  /** Whether a checkpoint was asked for since the last call. */
  takeSaveRequest(): boolean {
    const asked = this.#saveAsked;
    this.#saveAsked = false;
    return asked;
  }

  /** Whether to pause here. */
  shouldPause(atEpochEnd: boolean): boolean {
    return this.#pause === 'now' || (this.#pause === 'epoch' && atEpochEnd);
  }

  /** Resolves at the next change of any wish. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Sleeps, but no longer than until the next change of any wish. */
  async rest(ms: number): Promise<void> {
    if (ms < 1) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([new Promise((resolve) => (timer = setTimeout(resolve, ms))), this.changed()]);
    clearTimeout(timer);
  }

  /** Ends every wait, so that whoever waits looks around. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
