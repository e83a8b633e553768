/** What the clients of this server hear of one campaign: observers every change, volunteers what may matter to their contribution. */
import {
  CAMPAIGN_EVENT,
  NEWS_EVENT,
  type CampaignCounts,
  type CampaignUpdate,
  type ClientRow,
  type Contribution,
  type MergeNews,
} from '@oneround/fl-core';
import type { Server } from 'socket.io';
import type { Change } from '../ledger/index.ts';
import { within } from '../operations/index.ts';
import { Audience } from './audience.ts';
import { Pace } from './pace.ts';
import { PendingChanges } from './pending-changes.ts';

const PAUSE_MS = 200;
/** What has changed does not wait longer for the counts: the ledger may be waiting for the disk. */
const COUNTS_WAIT_MS = 20;

export interface FeedParts {
  io: Server;
  campaignId: string;
  counts: () => Promise<CampaignCounts>;
}

export class CampaignFeed {
  readonly watchers: Audience;
  readonly followers: Audience;
  readonly #readCounts: () => Promise<CampaignCounts>;
  readonly #pending = new PendingChanges();
  readonly #pace: Pace;
  /** Counts that are being read. */
  #reading: Promise<CampaignCounts | null> | null = null;
  /** Rows were sent without the counts after them. */
  #owesCounts = false;

  constructor({ io, campaignId, counts }: FeedParts) {
    this.watchers = new Audience(io, `watch:${campaignId}`);
    this.followers = new Audience(io, `follow:${campaignId}`);
    this.#readCounts = counts;
    this.#pace = new Pace({
      deliver: () => this.#deliver(),
      hasMore: () => this.#owesCounts || !this.#pending.isEmpty,
      pauseMs: PAUSE_MS,
    });
  }

  add(changes: readonly Change[]): void {
    if (this.watchers.isEmpty && this.followers.isEmpty) return;
    this.#pending.add(changes);
    this.#pace.wake();
  }

  /** As `add`, for a client of whom nothing changed but its figures. */
  addFigures(client: ClientRow): void {
    if (this.watchers.isEmpty) return;
    this.#pending.addFigures(client);
    this.#pace.wake();
  }

  stop(): Promise<void> {
    return this.#pace.stop();
  }

  /** The campaign is no more: whoever hears of it asks again, and is told that, or of another one in its place. */
  async end(): Promise<void> {
    await this.#pace.stop();
    await this.watchers.hangUp();
    await this.followers.hangUp();
  }

  async #deliver(): Promise<void> {
    const { status, ...rows } = this.#pending.take();
    if (!this.watchers.isEmpty) {
      const update: CampaignUpdate = { counts: await this.#counts(), ...rows };
      await this.watchers.send(CAMPAIGN_EVENT, update);
    }
    const news: MergeNews = {
      versions: rows.versions.map(({ version }) => version),
      contributions: rows.contributions.filter(isOut).map(({ contributionId }) => contributionId),
      status,
    };
    if (news.versions.length + news.contributions.length > 0 || status !== null) {
      await this.followers.send(NEWS_EVENT, news);
    }
  }

  async #counts(): Promise<CampaignCounts | null> {
    const isFresh = this.#reading === null;
    // A campaign that is gone, or a database that is away, has none.
    const reading = (this.#reading ??= this.#readCounts().catch(() => null));
    const answer = await within(COUNTS_WAIT_MS, () => reading.then((counts) => ({ counts })));
    if (answer) this.#reading = null;
    this.#owesCounts = !answer || !isFresh;
    return answer?.counts ?? null;
  }
}

function isOut({ withdrawn, quarantined }: Contribution): boolean {
  return withdrawn !== null || quarantined !== null;
}
