/**
 * Screening at work (fl-core's `screens` says what is looked for). A version is published the moment it is folded and
 * judged when it is scored: whoever made it too bad is taken out again, exactly. When a campaign closes, every contribution
 * is judged anew, in an order of its own, and the scale is searched; that ends with the version the campaign settles on.
 *
 * Verdicts are rows of the chain. Losses that they rest on are kept as evaluations, so a search that died with its server
 * is soon where it was.
 */
import type { EvaluationResult, Version } from '@oneround/fl-core';
import type { Blobs } from './blobs.ts';
import { lookAtAll } from './closing-look.ts';
import type { Settlement } from './global-adapter.ts';
import { Inquiry, type Trial } from './inquiry.ts';
import type { OneRoundCampaign, OpenCampaigns } from './open-campaigns.ts';
import type { LedgerDatabase } from './open-database.ts';
import { readScores, type Scores } from './scores.ts';
import { standingContributions } from './standing-contributions.ts';
import { comparedAgain, lookAtNewest } from './suspects.ts';

export interface ScreeningParts {
  db: LedgerDatabase;
  blobs: Blobs;
  campaigns: OpenCampaigns;
  /** Epoch milliseconds. */
  now: () => number;
}

/** What a step of the screening did, for the log and everybody who watches. */
export interface ScreeningStep {
  message: string;
  version: Version | null;
  /** Contributions whose place has changed. */
  contributionIds: string[];
}

/** A search and the contributions that stood when it began. */
interface Search {
  kind: 'suspects' | 'closing';
  inquiry: Inquiry<Settlement>;
  standing: string;
}

export class Screening {
  readonly #parts: ScreeningParts;
  readonly #searches = new Map<string, Search>();
  /** The newest version that was judged, by campaign. */
  readonly #judged = new Map<string, number>();

  constructor(parts: ScreeningParts) {
    this.#parts = parts;
  }

  /**
   * Begins a search where one is due, or carries out what one has found. Called by the server that folds, again and again.
   * @returns null when there was nothing to do, as ever in a campaign of many rounds
   * @throws LeaseTaken when another server folds now
   */
  async step(campaignId: string, isClosing: boolean): Promise<ScreeningStep | null> {
    if (!this.#parts.campaigns.getOneRound(campaignId)) return null;
    const search = this.#searches.get(campaignId);
    const kind = isClosing ? 'closing' : 'suspects';
    if (search && (search.kind !== kind || search.standing !== (await this.#standing(campaignId)))) {
      // What it looks into is no more.
      this.#searches.delete(campaignId);
      this.#judged.delete(campaignId);
      return null;
    }
    if (!search) return isClosing ? this.#beginClosing(campaignId) : this.#judgeNewest(campaignId);
    const { found } = search.inquiry;
    if (found === null) return null;
    this.#searches.delete(campaignId);
    return isClosing ? this.#settle(campaignId, found) : this.#quarantine(campaignId, found);
  }

  /** What a search waits for; null when none does. */
  async trial(campaignId: string): Promise<Trial | null> {
    const search = this.#searches.get(campaignId);
    if (!search) return null;
    try {
      return await search.inquiry.next();
    } catch (error) {
      this.#searches.delete(campaignId);
      this.#judged.delete(campaignId);
      throw error;
    }
  }

  /** The evaluation of a trial is there. */
  answer(campaignId: string, key: string, result: EvaluationResult): void {
    this.#searches.get(campaignId)?.inquiry.answer(key, result);
  }

  async #judgeNewest(campaignId: string): Promise<ScreeningStep | null> {
    const { definition, adapter } = this.#oneRound(campaignId);
    const { screens } = definition.manifest.merge;
    const newest = await adapter.newestVersion();
    if (!screens || this.#judged.get(campaignId) === newest) return null;
    const scores = await readScores(this.#parts.db, campaignId);
    if (!scores.versions.has(newest) || (newest > 0 && scores.versions.size === 1)) return null;
    this.#judged.set(campaignId, newest);
    const look = await lookAtNewest(this.#campaign(campaignId, scores), newest);
    if (!look) return null;
    await this.#begin(campaignId, 'suspects', new Inquiry(look.search));
    return { message: look.message, version: null, contributionIds: [] };
  }

  async #quarantine(campaignId: string, { verdicts }: Settlement): Promise<ScreeningStep> {
    const version = await this.#oneRound(campaignId).adapter.quarantine(verdicts, this.#parts.now());
    if (!version) return { message: 'what made it so was withdrawn meanwhile', version, contributionIds: [] };
    const out = verdicts.map(({ contribution_id }) => contribution_id);
    const back = await comparedAgain(this.#campaign(campaignId, await readScores(this.#parts.db, campaignId)));
    if (back.length > 0) await this.#oneRound(campaignId).adapter.admit(back, this.#parts.now());
    const parts = [
      `${await this.#places(out)} set aside until the campaign closes`,
      `version ${version.version} is without`,
      ...(back.length > 0 ? [`${await this.#places(back)} let in, now that the mean is another`] : []),
    ];
    return { message: parts.join('; '), version, contributionIds: [...out, ...back] };
  }

  async #beginClosing(campaignId: string): Promise<ScreeningStep | null> {
    const { db } = this.#parts;
    const { settled_version } = await db
      .selectFrom('campaigns')
      .select('settled_version')
      .where('id', '=', campaignId)
      .executeTakeFirstOrThrow();
    if (settled_version !== null) return null;
    const { screens, scaleSearch } = this.#oneRound(campaignId).definition.manifest.merge;
    if (!screens && !scaleSearch) {
      await this.#oneRound(campaignId).adapter.settle({ verdicts: [], scale: 1 }, this.#parts.now());
      return null;
    }
    const look = await lookAtAll(this.#campaign(campaignId, await readScores(db, campaignId)));
    if (!look) return null;
    await this.#begin(campaignId, 'closing', new Inquiry(look.search));
    return { message: look.message, version: null, contributionIds: [] };
  }

  async #settle(campaignId: string, settlement: Settlement): Promise<ScreeningStep> {
    const { adapter } = this.#oneRound(campaignId);
    const version = await adapter.settle(settlement, this.#parts.now());
    const ids = (verdict: string) =>
      settlement.verdicts.filter((row) => row.verdict === verdict).map(({ contribution_id }) => contribution_id);
    const [out, back] = [ids('quarantined'), ids('admitted')];
    const parts = [
      ...(out.length > 0 ? [`${await this.#places(out)} left out`] : []),
      ...(back.length > 0 ? [`${await this.#places(back)} let in after all`] : []),
      `scale ${settlement.scale}`,
      `the campaign settles on version ${version?.version ?? (await adapter.newestVersion())}`,
    ];
    return { message: parts.join('; '), version, contributionIds: [...out, ...back] };
  }

  async #begin(campaignId: string, kind: Search['kind'], inquiry: Inquiry<Settlement>): Promise<void> {
    this.#searches.set(campaignId, { kind, inquiry, standing: await this.#standing(campaignId) });
  }

  #oneRound(campaignId: string): OneRoundCampaign {
    const campaign = this.#parts.campaigns.getOneRound(campaignId);
    if (!campaign) throw new Error(`the campaign ${campaignId} has many rounds, which are not screened`);
    return campaign;
  }

  #campaign(campaignId: string, scores: Scores) {
    const { db, blobs } = this.#parts;
    return { db, blobs, scores, ...this.#oneRound(campaignId) };
  }

  async #standing(campaignId: string): Promise<string> {
    const { count } = await standingContributions(this.#parts.db, campaignId)
      .clearSelect()
      .select((row) => row.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    const { withdrawn } = await this.#parts.db
      .selectFrom('withdrawals')
      .select((row) => row.fn.countAll<number>().as('withdrawn'))
      .where('campaign_id', '=', campaignId)
      .executeTakeFirstOrThrow();
    return `${count} ${withdrawn}`;
  }

  /** `contributions #2 and #5 are`. */
  async #places(contributionIds: readonly string[]): Promise<string> {
    if (contributionIds.length === 0) return 'no contribution is';
    const rows = await this.#parts.db
      .selectFrom('contributions')
      .select('sequence')
      .where('contribution_id', 'in', contributionIds)
      .orderBy('sequence')
      .execute();
    const numbers = rows.map(({ sequence }) => `#${sequence}`);
    return numbers.length === 1 ? `contribution ${numbers[0]} is` : `contributions ${numbers.join(', ')} are`;
  }
}
