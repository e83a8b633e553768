/** What observers are told besides the changes themselves: a line of the log, and the counts that go with every update. */
import type { LogEntry } from '@oneround/fl-core';
import { countCampaign } from './campaign-counts.ts';
import { readClock } from './dialect.ts';
import type { OpenCampaigns } from './open-campaigns.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { Change, LedgerCounts } from './outcome.ts';

export interface ReportsParts {
  db: LedgerDatabase;
  campaigns: OpenCampaigns;
  /** Epoch milliseconds. */
  now: () => number;
}

export class Reports {
  readonly #parts: ReportsParts;

  constructor(parts: ReportsParts) {
    this.#parts = parts;
  }

  /** Adds a line to a campaign's log; with what it tells of when that is in a transaction. */
  async log(campaignId: string, kind: LogEntry['kind'], message: string, db = this.#parts.db): Promise<Change> {
    const { now } = this.#parts;
    const entry = { at: now(), kind, message };
    const { id } = await db
      .insertInto('log')
      .values({ campaign_id: campaignId, ...entry })
      .returning('id')
      .executeTakeFirstOrThrow();
    return { type: 'log', entry: { id, ...entry } };
  }

  /** @throws Refusal `unknown_campaign` */
  async counts(campaignId: string): Promise<LedgerCounts> {
    const { db, campaigns, now } = this.#parts;
    return countCampaign(db, campaigns.get(campaignId).definition, await readClock(db, now));
  }
}
