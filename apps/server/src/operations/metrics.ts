/** Prometheus figures of one server. No label holds anything that a client chose, so their number is bounded. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { within } from './within.ts';

/** What is asked for when the figures are read. */
export interface LiveFigures {
  sockets: () => number;
  /** Bytes of all connections so far, closed ones included. */
  traffic: () => { in: number; out: number };
  ledger: () => Promise<{ leases: number; uploads: number }>;
  /** Whether this server folds, evaluates and ends leases, for all that share its ledger. */
  leads: () => boolean;
  disk: () => Promise<{ freeBytes: number; hasRoom: boolean }>;
}

/** A scrape waits this long for one figure. */
const ANSWER_MS = 2000;
/** Seconds: a fold of a small adapter takes milliseconds, one of a large model's a second. */
const FOLD_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Seconds: held-out sets take from a tenth of a second to minutes. */
const EVALUATION_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

export class ServerMetrics {
  readonly #registry = new Registry();
  readonly accepted = new Counter({
    name: 'oneround_contributions_accepted_total',
    help: 'Contributions acknowledged, by campaign',
    labelNames: ['campaign'],
    registers: [this.#registry],
  });
  readonly quarantined = new Counter({
    name: 'oneround_contributions_quarantined_total',
    help: 'Contributions acknowledged and set aside at once, by campaign',
    labelNames: ['campaign'],
    registers: [this.#registry],
  });
  readonly refused = new Counter({
    name: 'oneround_refusals_total',
    help: 'Requests and connections refused, by request and refusal code',
    labelNames: ['request', 'code'],
    registers: [this.#registry],
  });
  readonly leases = new Counter({
    name: 'oneround_leases_granted_total',
    help: 'Leases granted or resumed, by campaign',
    labelNames: ['campaign'],
    registers: [this.#registry],
  });
  readonly foldSeconds = new Histogram({
    name: 'oneround_fold_seconds',
    help: 'Folds that made a version, and how long they took',
    buckets: FOLD_BUCKETS,
    registers: [this.#registry],
  });
  readonly evaluationSeconds = new Histogram({
    name: 'oneround_evaluation_seconds',
    help: 'Held-out evaluations, and how long they took',
    buckets: EVALUATION_BUCKETS,
    registers: [this.#registry],
  });
  readonly screenings = new Counter({
    name: 'oneround_screenings_total',
    help: 'Searches for contributions that make the model worse, begun or ended, by campaign',
    labelNames: ['campaign'],
    registers: [this.#registry],
  });
  readonly failures = new Counter({
    name: 'oneround_failures_total',
    help: 'Folds, evaluations, requests, sweeps and verifications that failed inside the server',
    labelNames: ['what'],
    registers: [this.#registry],
  });

  /** `collectDefaultMetrics` adds the process, its memory, its garbage collection and the event loop's lag. */
  constructor(live: LiveFigures) {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge('sockets', 'Sockets connected', async () => live.sockets());
    this.#gauge('leases', 'Leases whose deadline has not passed', async () => (await live.ledger()).leases);
    this.#gauge('uploads', 'Uploads begun by leases that are alive', async () => (await live.ledger()).uploads);
    this.#gauge('leads', '1 while this server folds for all that share its ledger, else 0', async () =>
      live.leads() ? 1 : 0,
    );
    this.#gauge('disk_free_bytes', 'Free bytes of the data directory', async () => (await live.disk()).freeBytes);
    this.#gauge('intake_open', '1 while the disk has room for contributions, else 0', async () =>
      (await live.disk()).hasRoom ? 1 : 0,
    );
    for (const direction of ['in', 'out'] as const) {
      const counter: Counter = new Counter({
        name: `oneround_bytes_${direction}_total`,
        help: `Bytes ${direction === 'in' ? 'received' : 'sent'} on all connections, headers included`,
        registers: [this.#registry],
        collect: () => {
          counter.reset();
          counter.inc(live.traffic()[direction]);
        },
      });
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Forgets the instruments, so that what they look at can go. */
  close(): void {
    this.#registry.clear();
  }

  /** NaN, as Prometheus has it, stands for what did not answer. */
  #gauge(name: string, help: string, read: () => Promise<number>): void {
    const gauge: Gauge = new Gauge({
      name: `oneround_${name}`,
      help,
      registers: [this.#registry],
      collect: async () => gauge.set((await within(ANSWER_MS, read)) ?? Number.NaN),
    });
  }
}
