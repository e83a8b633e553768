/** What happens in a server, told to the log and the figures at once. Ids, counts and durations; nothing about a person. */
import { Refusal, type CampaignStatus } from '@oneround/fl-core';
import type { Logger } from 'pino';
import type { ServerMetrics } from './metrics.ts';
import { SparseLines } from './sparse-lines.ts';

/** Ids of a refused request, as far as it had any; of an organiser's also what was asked for. */
export interface RequestIds {
  leaseId?: string | undefined;
  contributionId?: string | undefined;
  action?: string | undefined;
  campaignId?: string | undefined;
  inviteId?: string | undefined;
}

/** What a refusal of the ledger's means for whoever runs the server; its own sentence is for volunteers. */
const operatorsWords: Partial<Record<Refusal['code'], string>> = {
  storage_full: 'there is no room left: make some on the disk, or raise --max-data-bytes; it is tried again by itself',
  unavailable: 'the database does not answer; it is tried again by itself',
};

export class Activity {
  readonly #log: Logger;
  readonly #metrics: ServerMetrics;
  readonly #sparse: SparseLines;

  /** `now`: milliseconds on any clock. */
  constructor(log: Logger, metrics: ServerMetrics, now?: () => number) {
    this.#log = log;
    this.#metrics = metrics;
    this.#sparse = new SparseLines(now);
  }

  leaseGranted(lease: { campaignId: string; leaseId: string; shard: number | null; resumed: boolean }): void {
    this.#metrics.leases.inc({ campaign: lease.campaignId });
    this.#log.info(lease, lease.resumed ? 'lease resumed' : 'lease granted');
  }

  leaseEnded(lease: { campaignId: string; leaseId: string; why: 'left' | 'lapsed' }): void {
    this.#log.info(lease, 'lease ended');
  }

  /** `uploadMs`: since this connection began the upload. `quarantined`: it is in the ledger, and set aside by its direction. */
  accepted(contribution: {
    campaignId: string;
    leaseId: string;
    contributionId: string;
    sequence: number;
    uploadMs: number;
    quarantined: boolean;
  }): void {
    const { campaignId, quarantined } = contribution;
    this.#metrics.accepted.inc({ campaign: campaignId });
    if (quarantined) this.#metrics.quarantined.inc({ campaign: campaignId });
    this.#log.info(contribution, quarantined ? 'contribution set aside' : 'contribution accepted');
  }

  /**
   * `request` is the protocol's name for it, `admin`, or `unknown`. An organiser's are told each, with what was asked for;
   * what the operator alone can mend is a warning.
   */
  refused(request: string, refusal: Refusal, ids: RequestIds): void {
    const { code } = refusal;
    this.#metrics.refused.inc({ request, code });
    if (request === 'admin') return this.#log.info({ request, code, ...ids }, 'refused');
    const words = operatorsWords[code];
    this.#sparse.tell(`refused ${request} ${code}`, (others) => {
      const line = { request, code, ...ids, others };
      if (words === undefined) this.#log.info(line, 'refused');
      else this.#log.warn(line, `refused: ${words}`);
    });
  }

  /** Somebody who did not get as far as a request of the protocol. `code` is one of a few. */
  turnedAway(request: 'connect' | 'frame' | 'metrics' | 'admin', code: string): void {
    this.#metrics.refused.inc({ request, code });
    const level = request === 'admin' ? 'warn' : 'info';
    this.#sparse.tell(`${request} ${code}`, (others) => this.#log[level]({ request, code, others }, 'turned away'));
  }

  /** What an organiser did through the admin API, and to what. */
  organised(deed: {
    action: string;
    campaignId: string | undefined;
    contributionId: string | undefined;
    inviteId: string | undefined;
  }): void {
    this.#log.info(deed, 'organised');
  }

  folded(fold: { campaignId: string; version: number; ms: number }): void {
    this.#metrics.foldSeconds.observe(fold.ms / 1000);
    this.#log.info(fold, 'folded');
  }

  evaluated(evaluation: { campaignId: string; subject: string; loss: number; accuracy: number; ms: number }): void {
    this.#metrics.evaluationSeconds.observe(evaluation.ms / 1000);
    this.#log.info(evaluation, 'evaluated');
  }

  /** `found`: in words, as the campaign's own log has it. */
  screened(screening: { campaignId: string; found: string }): void {
    this.#metrics.screenings.inc({ campaign: screening.campaignId });
    this.#log.info(screening, 'screened');
  }

  moved(campaign: { campaignId: string; status: CampaignStatus }): void {
    this.#log.info(campaign, 'campaign moved on');
  }

  failed(
    what: 'fold' | 'evaluation' | 'request' | 'sweep' | 'verify',
    error: unknown,
    about: Record<string, string | undefined> = {},
  ): void {
    this.#metrics.failures.inc({ what });
    const words = error instanceof Refusal ? operatorsWords[error.code] : undefined;
    if (error instanceof Refusal && words !== undefined) {
      const { code } = error;
      const kind = `${what} ${code}`;
      return this.#sparse.tell(kind, (others) =>
        this.#log.error({ ...about, code, others }, `${what} failed: ${words}`),
      );
    }
    this.#log.error({ ...about, err: error }, `${what} failed`);
  }
}
