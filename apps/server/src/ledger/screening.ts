/**
 * Screening at work (fl-core's `screens` says what is looked for). A version is published the moment it is folded and
 * judged when it is scored: whoever made it too bad is taken out again, exactly. When a campaign closes, every contribution
 * is judged anew, in an order of its own, and the scale is searched; that ends with the version the campaign settles on.
 *
 * Verdicts are rows of the chain. Losses that they rest on are kept as evaluations, so a search that died with its server
 * is soon where it was.
 */
import type { EvaluationResult, Version } from '@oneround/fl-core';
import { lookAtAll } from './closing-look.ts';
import type { Settlement } from './global-adapter.ts';
import { Inquiry, type Trial } from './inquiry.ts';
import type { OneRoundCampaign, OpenCampaigns } from './open-campaigns.ts';
import type { RecordedStore } from './recorded-blobs.ts';
import { countScored, readScores, type Scores } from './scores.ts';
import { comparedAgain, lookAtVersion } from './suspects.ts';

export interface ScreeningParts extends RecordedStore {
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

/** A search, and what it rests on. */
interface Search {
  kind: 'suspects' | 'closing';
  inquiry: Inquiry<Settlement>;
  /** Withdrawals of the campaign then. */
  withdrawn: number;
}

export class Screening {
  readonly #parts: ScreeningParts;
  readonly #searches = new Map<string, Search>();
  /** The newest scored version that was judged, by campaign. */
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
    if (search && (search.kind !== kind || search.withdrawn !== (await this.#countWithdrawn(campaignId)))) {
      // What it looks into is no more.
      this.forget(campaignId);
      return null;
    }
    if (!search) return isClosing ? this.#beginClosing(campaignId) : this.#judgeScored(campaignId);
    try {
      const { found } = search.inquiry;
      if (found === null) return null;
      const step = await (isClosing ? this.#settle(campaignId, found) : this.#quarantine(campaignId, found));
      this.#searches.delete(campaignId);
      return step;
    } catch (error) {
      // It begins anew, with the evaluations that it had.
      this.forget(campaignId);
      throw error;
    }
  }

  /** True while a search goes on. */
  isSearching(campaignId: string): boolean {
    return this.#searches.has(campaignId);
  }

  /** What a search waits for; null when none does. */
  trial(campaignId: string): Trial | null {
    return this.#searches.get(campaignId)?.inquiry.asked ?? null;
  }

  /** Gives up what was begun: the campaign is gone, or another server looks after it. */
  forget(campaignId: string): void {
    this.#searches.delete(campaignId);
    this.#judged.delete(campaignId);
  }

  /** The evaluation of a trial is there. */
  answer(campaignId: string, key: string, result: EvaluationResult): void {
    this.#searches.get(campaignId)?.inquiry.answer(key, result);
  }

  async #judgeScored(campaignId: string): Promise<ScreeningStep | null> {
    const { screens } = this.#oneRound(campaignId).definition.manifest.merge;
    if (!screens) return null;
    const { newest, count } = await countScored(this.#parts.db, campaignId);
    // One alone is compared with nothing, whichever it is.
    if (count < 2 || newest === this.#judged.get(campaignId)) return null;
    this.#judged.set(campaignId, newest);
    const scores = await readScores(this.#parts.db, campaignId);
    const look = await lookAtVersion(this.#campaign(campaignId, scores), newest);
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
    this.#searches.set(campaignId, { kind, inquiry, withdrawn: await this.#countWithdrawn(campaignId) });
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

  async #countWithdrawn(campaignId: string): Promise<number> {
    const { withdrawn } = await this.#parts.db
      .selectFrom('withdrawals')
      .select((row) => row.fn.countAll<number>().as('withdrawn'))
      .where('campaign_id', '=', campaignId)
      .executeTakeFirstOrThrow();
    return withdrawn;
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
