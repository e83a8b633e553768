/** Finished steps on their way to whoever shows them: figures and loss points, batched to a few messages a second. */
import type { StepReport } from '@oneround/lora/training';
import type { Emit, StepFigures } from './events.ts';
import { Pace } from './pace.ts';

const INTERVAL_MS = 250;

/** Keeps the whole loss curve and sends what is new. */
export class StepFeed {
  readonly #emit: Emit;
  readonly #pace = new Pace();
  readonly #points: number[];
  #sent = 0;
  #sentAt = -Infinity;
  #figures: StepFigures | null = null;
  #duty = 1;

  /** `earlier` holds the points of the part of the run before a reload. */
  constructor(earlier: Float32Array, emit: Emit) {
    this.#points = [...earlier];
    this.#emit = emit;
  }

  /** (step, loss) pairs so far. */
  get points(): Float32Array {
    return Float32Array.from(this.#points);
  }

  get tokensPerSecond(): number | null {
    return this.#pace.tokensPerSecond;
  }

  /** Notes a step and returns the newest figures. */
  add(report: StepReport, wallMs: number, duty: number): StepFigures {
    if (duty !== this.#duty) this.#pace.restart();
    this.#duty = duty;
    this.#pace.add({ tokens: report.tokens, wallMs, computeMs: report.milliseconds });
    this.#points.push(report.step, report.loss);
    const { step, steps, epoch, epochs, loss } = report;
    const { tokensPerSecond, stepMs } = this.#pace;
    this.#figures = {
      step,
      steps,
      epoch,
      epochs,
      loss,
      tokensPerSecond,
      stepMs,
      etaSeconds: this.#pace.etaSeconds(steps - step),
    };
    if (performance.now() - this.#sentAt >= INTERVAL_MS) this.flush();
    return this.#figures;
  }

  /** The clock stops: what came before says nothing about what follows. */
  pause(): void {
    this.flush();
    this.#pace.restart();
  }

  /** Sends what has not been sent. */
  flush(): void {
    if (!this.#figures || this.#sent === this.#points.length) return;
    const points = Float32Array.from(this.#points.slice(this.#sent));
    this.#sent = this.#points.length;
    this.#sentAt = performance.now();
    this.#emit({ type: 'steps', figures: this.#figures, points });
  }
}
