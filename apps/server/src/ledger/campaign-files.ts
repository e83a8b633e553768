/** Campaign files that come to be served, and the terms of those that are: what an organiser decides of a campaign in words. */
import { Refusal, type CampaignStatus, type TermsChange } from '@oneround/fl-core';
import { loadCampaign, namedBlobs, type DataSetReport, type LoadedCampaign } from '../campaign/index.ts';
import type { Blobs, BlobStore } from './blobs.ts';
import { readLife } from './campaign-life.ts';
import type { CampaignNews } from './campaign-news.ts';
import { changeTerms, readTerms, type TermsInForce } from './campaign-terms.ts';
import type { FirstVersion } from './first-version.ts';
import type { Openness, OpenCampaigns } from './open-campaigns.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { Change, Outcome } from './outcome.ts';
import { readUntilServed } from './read-until-served.ts';
import type { Reports } from './reports.ts';
import { nameOfChange } from './store-campaign.ts';

/** What serving a campaign file came to. */
export interface ServedFile extends TermsInForce, Openness {
  campaignId: string;
  status: CampaignStatus;
  /** `replaced`: there was another one under its id, without contributions; `changed`: what may be, of one that was there. */
  change: ReturnType<typeof nameOfChange>;
}

export interface CampaignFilesParts {
  db: LedgerDatabase;
  blobs: Blobs;
  campaigns: OpenCampaigns;
  reports: Reports;
  news: CampaignNews;
}

export class CampaignFiles {
  readonly #parts: CampaignFilesParts;

  constructor(parts: CampaignFilesParts) {
    this.#parts = parts;
  }

  /**
   * Reads a campaign file here and now, and serves it; a server has it read elsewhere (`loading-thread.ts`).
   * @throws CampaignFileError, and as `serve`
   */
  add(path: string): Promise<ServedFile & { dataSets: DataSetReport[] }> {
    return readUntilServed(
      () => this.#load(path),
      async (loaded) => (await this.serve(loaded))?.value ?? null,
    );
  }

  /**
   * Serves what a campaign file came to, from now on. `first` is its version 0, which is otherwise made here and now.
   * @returns null when it must be read again, as `OpenCampaigns.add`
   * @throws Refusal `campaign_started`, `wrong_status`
   */
  async serve(loaded: LoadedCampaign, first?: FirstVersion | null): Promise<Outcome<ServedFile> | null> {
    const { db, blobs, campaigns, news } = this.#parts;
    const { id } = loaded.definition.manifest;
    const before = campaigns.has(id) ? campaigns.get(id).adapter : null;
    const change = await campaigns.add(loaded, first).catch(async (error: unknown) => {
      // What was stored for it alone.
      if (error instanceof Refusal) await blobs.dropUnnamed(namedBlobs(loaded.definition), db);
      throw error;
    });
    if (!change) return null;
    const { problem } = change;
    if (problem !== null) news.note({ opened: [], failures: [{ campaignId: id, problem }] });
    else if (campaigns.get(id).adapter !== before) news.note({ opened: [id], failures: [] });
    const { status } = await readLife(db, id);
    const value = { campaignId: id, status, change: nameOfChange(change), problem, ...(await readTerms(db, id)) };
    return { value, changes: await this.#tellTerms(id, change.changedTerms) };
  }

  /** As `changeTerms`. @throws Refusal `unknown_campaign`, `malformed` */
  async changeTerms(campaignId: string, change: TermsChange): Promise<Outcome<TermsInForce>> {
    const { db, campaigns } = this.#parts;
    const { now, changed } = await changeTerms(db, campaigns.get(campaignId).definition.manifest, change);
    return { value: now, changes: await this.#tellTerms(campaignId, changed) };
  }

  /** Keeps nothing of a file that turns out bad. */
  async #load(path: string): Promise<LoadedCampaign> {
    const { db, blobs } = this.#parts;
    const stored = new Set<string>();
    const store: BlobStore = {
      async put(bytes) {
        const sha256 = await blobs.put(bytes);
        stored.add(sha256);
        return sha256;
      },
    };
    try {
      return await loadCampaign(path, store);
    } catch (error) {
      await blobs.dropUnnamed([...stored], db);
      throw error;
    }
  }

  async #tellTerms(campaignId: string, changed: readonly string[]): Promise<Change[]> {
    if (changed.length === 0) return [];
    return [await this.#parts.reports.log(campaignId, 'status', `the terms have changed: ${changed.join(', ')}`)];
  }
}
