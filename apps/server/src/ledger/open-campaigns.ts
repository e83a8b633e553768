/** The campaigns that this server has open: read from the ledger, where another server may add, replace or delete them. */
import { Refusal, type Manifest } from '@oneround/fl-core';
import {
  campaignDefinitionSchema,
  definitionHash,
  type CampaignDefinition,
  type LoadedCampaign,
} from '../campaign/index.ts';
import { openAdapter, type CampaignAdapter } from './campaign-adapter.ts';
import { unknownCampaign } from './campaign-life.ts';
import { asRefusal } from './database-errors.ts';
import { deleteCampaign, dropLeftBehind } from './delete-campaign.ts';
import type { FirstVersion } from './first-version.ts';
import { GlobalAdapter, type AdapterStore } from './global-adapter.ts';
import { storeCampaign, type CampaignChange } from './store-campaign.ts';

/** Between two tries to open a campaign that cannot be. */
const TRY_AGAIN_MS = 30_000;

/** A campaign with its adapter. */
export interface OpenCampaign {
  definition: CampaignDefinition;
  adapter: CampaignAdapter;
}

/** One whose adapter is a single fold, which can be screened. */
export interface OneRoundCampaign extends OpenCampaign {
  adapter: GlobalAdapter;
}

export interface OpenCampaignsParts {
  store: AdapterStore;
  /** Epoch milliseconds. */
  now: () => number;
  /** Told of each campaign that is gone, or was replaced before anybody contributed. */
  onGone: (campaignId: string) => void;
}

/** A campaign that is there and cannot be opened. */
export interface CampaignFailure {
  campaignId: string;
  problem: string;
}

/** What a look at the ledger's campaigns brought. */
export interface OpenedCampaigns {
  opened: string[];
  failures: (CampaignFailure & { error: unknown })[];
}

/** What of a campaign's row was true when it was opened. */
interface CampaignRow {
  /** Its `definitionHash`. */
  hash: string;
  /** Epoch milliseconds: a campaign that was deleted and added again is another one. */
  openedAt: number;
  wording: number;
}

/** Whether a campaign that is stored could be opened. */
export interface Openness {
  /** Why it could not, now or a moment ago; null when it is open. */
  problem: string | null;
}

export class OpenCampaigns {
  readonly #store: AdapterStore;
  readonly #now: () => number;
  readonly #onGone: (campaignId: string) => void;
  readonly #open = new Map<string, OpenCampaign & CampaignRow>();
  readonly #failed = new RecentFailures();

  constructor({ store, now, onGone }: OpenCampaignsParts) {
    this.#store = store;
    this.#now = now;
    this.#onGone = onGone;
  }

  /** `hash`: its `definitionHash`. @throws Refusal `unknown_campaign` */
  get(campaignId: string): OpenCampaign & { hash: string } {
    const campaign = this.#open.get(campaignId);
    if (!campaign) throw unknownCampaign(campaignId);
    return campaign;
  }

  /** As `get`; null for a campaign of many rounds. @throws Refusal `unknown_campaign` */
  getOneRound(campaignId: string): OneRoundCampaign | null {
    const { definition, adapter } = this.get(campaignId);
    return adapter instanceof GlobalAdapter ? { definition, adapter } : null;
  }

  has(campaignId: string): boolean {
    return this.#open.has(campaignId);
  }

  /** Whether this very campaign is open: one of this `definitionHash`. */
  isOpenAs(campaignId: string, hash: string): boolean {
    return this.#open.get(campaignId)?.hash === hash;
  }

  manifests(): Manifest[] {
    return [...this.#open.values()].map(({ definition }) => definition.manifest);
  }

  /**
   * Serves what a campaign file came to: a new campaign is stored; a known one must be the same, or still without
   * contribution.
   * @param first its version 0, which is otherwise made here and now
   * @returns what that changed, and whether it is open; null when blobs of it were dropped since it was read, with another
   *   campaign that had them: read it again
   * @throws Refusal `campaign_started` when the file no longer fits what was contributed under its id
   */
  async add(loaded: LoadedCampaign, first: FirstVersion | null = null): Promise<(CampaignChange & Openness) | null> {
    const { db, blobs } = this.#store;
    const { definition } = loaded;
    const { id } = definition.manifest;
    const hash = definitionHash(definition);
    const stored = await storeCampaign(db, blobs, loaded, { hash, first, now: this.#now() });
    if (!stored) return null;
    const { wording, openedAt, replaced, ...change } = stored;
    const row = { hash, openedAt, wording };
    if (replaced) {
      this.#forget(id);
      await dropLeftBehind(db, blobs, replaced);
    }
    this.#forgetOther(id, row);
    const open = this.#open.get(id);
    const done = { ...change, isReplaced: replaced !== null };
    if (open) {
      this.#open.set(id, { ...open, ...row, definition });
      return { ...done, problem: null };
    }
    return { ...done, problem: await this.#tryToOpen(definition, row) };
  }

  /**
   * Opens the campaigns that are not open here, or were replaced since, as far as they can be; forgets those that are gone.
   * @returns `news`, to which it has added them; when it throws, it has added those before
   */
  async openNew(news: OpenedCampaigns = { opened: [], failures: [] }): Promise<OpenedCampaigns> {
    const { db } = this.#store;
    const rows = await db
      .selectFrom('campaigns')
      .select(['id', 'definition_hash as hash', 'opened_at as openedAt', 'wording'])
      .execute();
    for (const id of this.#open.keys()) {
      if (!rows.some((row) => row.id === id)) this.#forget(id);
    }
    for (const { id, ...found } of rows) {
      this.#forgetOther(id, found);
      const known = this.#open.get(id);
      if (known?.wording === found.wording || this.#failed.whyRecently(id, found.hash) !== null) continue;
      const row = await db.selectFrom('campaigns').select('definition').where('id', '=', id).executeTakeFirst();
      if (!row) continue;
      try {
        const definition = campaignDefinitionSchema.parse(JSON.parse(row.definition));
        if (known) this.#open.set(id, { ...known, ...found, definition });
        else {
          await this.#openOne(definition, found);
          news.opened.push(id);
        }
      } catch (error) {
        news.failures.push({ campaignId: id, error, problem: this.#failed.note(id, found.hash, error) });
      }
    }
    return news;
  }

  /** Deletes a campaign with everything that belongs to it alone. @throws Refusal `unknown_campaign` */
  async delete(campaignId: string): Promise<void> {
    const { db, blobs } = this.#store;
    const row = await db.selectFrom('campaigns').select('definition').where('id', '=', campaignId).executeTakeFirst();
    if (!row) throw unknownCampaign(campaignId);
    // Not only one that is open: what cannot be opened can be deleted.
    await deleteCampaign(db, blobs, campaignId, campaignDefinitionSchema.safeParse(JSON.parse(row.definition)).data);
    this.#forget(campaignId);
  }

  /** Forgets a campaign that had the name of this one before it. */
  #forgetOther(id: string, { hash, openedAt }: CampaignRow): void {
    const open = this.#open.get(id);
    if (open && (open.hash !== hash || open.openedAt !== openedAt)) this.#forget(id);
  }

  #forget(id: string): void {
    this.#open.delete(id);
    this.#onGone(id);
  }

  /**
   * As `#openOne`, but for one that keeps nobody from the others.
   * @returns why it cannot be opened, or could not a moment ago; null when it is open
   * @throws Refusal of a disk that is full or a database that is away; anything when no other campaign is open
   */
  async #tryToOpen(definition: CampaignDefinition, row: CampaignRow): Promise<string | null> {
    const { id } = definition.manifest;
    const isAlone = this.#open.size === 0;
    const problem = isAlone ? null : this.#failed.whyRecently(id, row.hash);
    if (problem !== null) return problem;
    try {
      await this.#openOne(definition, row);
      return null;
    } catch (error) {
      if (isAlone || asRefusal(error) instanceof Refusal) throw error;
      return this.#failed.note(id, row.hash, error);
    }
  }

  async #openOne(definition: CampaignDefinition, row: CampaignRow): Promise<void> {
    const adapter = await openAdapter(definition, this.#store, this.#now());
    this.#open.set(definition.manifest.id, { definition, adapter, ...row });
  }
}

/** Campaigns that could not be opened are not tried again all the time. */
class RecentFailures {
  readonly #byId = new Map<string, { hash: string; at: number; problem: string }>();

  /** @returns the problem in words */
  note(campaignId: string, hash: string, error: unknown): string {
    const problem = error instanceof Error ? error.message : String(error);
    this.#byId.set(campaignId, { hash, at: performance.now(), problem });
    return problem;
  }

  /** Why it could not be opened a moment ago; null when it was not tried then. */
  whyRecently(campaignId: string, hash: string): string | null {
    const failure = this.#byId.get(campaignId);
    return failure?.hash === hash && performance.now() - failure.at < TRY_AGAIN_MS ? failure.problem : null;
  }
}
