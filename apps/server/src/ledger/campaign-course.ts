/** What moves campaigns on, whoever asks for it: their organiser, a target that is reached, a screening that has come to something. */
import type { CampaignStatus } from '@oneround/fl-core';
import { advanceCampaigns, moveCampaign, readLives, type StatusChange } from './campaign-life.ts';
import { readThese } from './campaign-view.ts';
import { readClock } from './dialect.ts';
import { nullWhenTaken, type FoldLease } from './fold-lease.ts';
import type { OpenCampaigns } from './open-campaigns.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { Change, Outcome } from './outcome.ts';
import type { Reports } from './reports.ts';
import type { Screening, ScreeningStep } from './screening.ts';

/** What a look at one campaign came to. */
export interface Advanced {
  campaignId: string;
  outcome: Outcome<CampaignStatus | null>;
  /** What went wrong; the next look tries again. */
  failure?: string;
}

export interface CampaignCourseParts {
  db: LedgerDatabase;
  campaigns: OpenCampaigns;
  screening: Screening;
  reports: Reports;
  foldLease: FoldLease;
  /** Epoch milliseconds. */
  now: () => number;
}

export class CampaignCourse {
  readonly #parts: CampaignCourseParts;

  constructor(parts: CampaignCourseParts) {
    this.#parts = parts;
  }

  /** Opens, pauses or closes a campaign. @throws Refusal `unknown_campaign`, `wrong_status` */
  async move(campaignId: string, action: 'open' | 'pause' | 'close'): Promise<Outcome<CampaignStatus>> {
    this.#parts.campaigns.get(campaignId);
    const status = await moveCampaign(this.#parts.db, campaignId, action);
    return this.#moved({ campaignId, status, why: 'so its organiser decided' });
  }

  /**
   * Judges what has been scored, and moves every campaign on that has reached a target or is done closing.
   * @returns one entry for each campaign where something came of it, or a search goes on
   */
  async advance(): Promise<Advanced[]> {
    const { db, campaigns, screening, foldLease } = this.#parts;
    const advanced: Advanced[] = [];
    for (const [campaignId, { status }] of await readLives(db)) {
      if (!foldLease.isHeld) screening.forget(campaignId);
      const isUnderWay = status === 'open' || status === 'paused' || status === 'closing';
      if (!isUnderWay || !campaigns.has(campaignId) || !foldLease.isHeld) continue;
      const nothing = { value: null, changes: [] };
      try {
        const step = await screening.step(campaignId, status === 'closing').catch(nullWhenTaken);
        if (step) advanced.push({ campaignId, outcome: await this.#screened(campaignId, step) });
        else if (screening.isSearching(campaignId)) advanced.push({ campaignId, outcome: nothing });
      } catch (error) {
        const failure = error instanceof Error ? error.message : String(error);
        advanced.push({ campaignId, outcome: nothing, failure });
      }
    }
    const now = await readClock(db, this.#parts.now);
    const manifests = new Map(campaigns.manifests().map((manifest) => [manifest.id, manifest]));
    for (const change of await advanceCampaigns(db, now, (id) => manifests.get(id))) {
      advanced.push({ campaignId: change.campaignId, outcome: await this.#moved(change) });
    }
    return advanced;
  }

  async #screened(campaignId: string, step: ScreeningStep): Promise<Outcome<null>> {
    const entry = await this.#parts.reports.log(campaignId, 'screened', step.message);
    const moved = await readThese(this.#parts.db, step.contributionIds);
    const changes = moved.map((contribution): Change => ({ type: 'contribution', contribution }));
    if (step.version) changes.unshift({ type: 'version', version: step.version });
    return { value: null, changes: [...changes, entry] };
  }

  async #moved({ campaignId, status, why }: StatusChange): Promise<Outcome<CampaignStatus>> {
    const entry = await this.#parts.reports.log(campaignId, 'status', `the campaign is ${status}: ${why}`);
    return { value: status, changes: [{ type: 'status', status }, entry] };
  }
}
