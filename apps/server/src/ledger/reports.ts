/** What observers are told of a change: the change itself, a line of the log, and the counts that go with every event. */
import type { LogEntry } from '@oneround/fl-core';
import { countCampaign } from './campaign-view.ts';
import type { LeaseBook } from './leases.ts';
import type { OpenCampaigns } from './open-campaigns.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { Change, LedgerCounts, Outcome } from './outcome.ts';

export interface ReportsParts {
  db: LedgerDatabase;
  campaigns: OpenCampaigns;
  leases: LeaseBook;
  /** Epoch milliseconds. */
  now: () => number;
}

export class Reports {
  readonly #parts: ReportsParts;

  constructor(parts: ReportsParts) {
    this.#parts = parts;
  }

  /** Adds a line to a campaign's log. */
  async log(campaignId: string, kind: LogEntry['kind'], message: string): Promise<Change> {
    const { db, now } = this.#parts;
    const entry: LogEntry = { at: now(), kind, message };
    await db
      .insertInto('log')
      .values({ campaign_id: campaignId, ...entry })
      .execute();
    return { type: 'log', entry };
  }

  async counts(campaignId: string): Promise<LedgerCounts> {
    const { db, campaigns, leases } = this.#parts;
    return countCampaign(db, campaigns.get(campaignId).definition, (await leases.leasedShards(campaignId)).size);
  }

  async outcome<Value>(campaignId: string, value: Value, changes: Change[]): Promise<Outcome<Value>> {
    return { value, changes, counts: await this.counts(campaignId) };
  }
}
