/** Whether a load balancer should send volunteers here, and if not, why. */
import type { DiskGuard } from './disk-guard.ts';
import { within } from './within.ts';

/** A ledger thread that takes longer than this is taken for stuck. */
const LEDGER_ANSWER_MS = 2000;

export interface ReadinessParts {
  /** Resolves to anything but null when the ledger thread answers. */
  ledger: () => Promise<object>;
  /** True once an evaluation thread has loaded its model, or none has anything to evaluate. */
  evaluates: () => boolean;
  disk: DiskGuard;
}

type Phase = 'starting' | 'serving' | 'closing';

export class Readiness {
  readonly #parts: ReadinessParts;
  #phase: Phase = 'starting';

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
  }

  /** Migrations are done and every campaign is open. */
  serve(): void {
    this.#phase = 'serving';
  }

  close(): void {
    this.#phase = 'closing';
  }

  get isStarting(): boolean {
    return this.#phase === 'starting';
  }

  /** One sentence, or null when the server is ready. */
  async reason(): Promise<string | null> {
    if (this.#phase === 'closing') return 'The server is shutting down.';
    if (this.#phase === 'starting') return 'The ledger is being migrated and the campaigns are being read.';
    if ((await within(LEDGER_ANSWER_MS, this.#parts.ledger)) === null) return 'The ledger thread does not answer.';
    if (!this.#parts.evaluates()) return 'No evaluation worker has loaded its model yet.';
    if (!(await this.#parts.disk.hasRoom())) return 'The disk is nearly full; no contribution is taken.';
    return null;
  }
}
