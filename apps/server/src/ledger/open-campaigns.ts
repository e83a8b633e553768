/** The campaigns that this server has open: read from the ledger, where another server may add, replace or delete them. */
import { Refusal, type Manifest } from '@oneround/fl-core';
import {
  campaignDefinitionSchema,
  definitionHash,
  servedFiles,
  type CampaignDefinition,
  type LoadedCampaign,
} from '../campaign/index.ts';
import { openAdapter, type CampaignAdapter } from './campaign-adapter.ts';
import { unknownCampaign } from './campaign-life.ts';
import { deleteCampaign } from './delete-campaign.ts';
import { lockCampaign } from './dialect.ts';
import { GlobalAdapter, type AdapterStore } from './global-adapter.ts';
import { valuesPath } from './rounds.ts';

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

/** What a look at the ledger's campaigns brought. */
export interface OpenedCampaigns {
  opened: string[];
  /** One for each campaign that is there and cannot be opened. */
  failures: { campaignId: string; error: unknown }[];
}

export class OpenCampaigns {
  readonly #store: AdapterStore;
  readonly #now: () => number;
  readonly #onGone: (campaignId: string) => void;
  /** Each with the `definition_hash` of its row. */
  readonly #open = new Map<string, OpenCampaign & { hash: string }>();
  readonly #failed = new RecentFailures();

  constructor({ store, now, onGone }: OpenCampaignsParts) {
    this.#store = store;
    this.#now = now;
    this.#onGone = onGone;
  }

  /** @throws Refusal `unknown_campaign` */
  get(campaignId: string): OpenCampaign {
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

  manifests(): Manifest[] {
    return [...this.#open.values()].map(({ definition }) => definition.manifest);
  }

  /**
   * Serves what a campaign file came to: a new campaign is stored; a known one must be the same, or still without
   * contribution.
   * @returns false when blobs of it were dropped since it was read, with another campaign that had them: read it again
   * @throws Refusal `campaign_started` when the file no longer fits what was contributed under its id
   */
  async add({ path, definition, terms }: LoadedCampaign): Promise<boolean> {
    const { db } = this.#store;
    if (!(await this.#hasBlobs(definition))) return false;
    const { id } = definition.manifest;
    const hash = definitionHash(definition);
    const stored = await db.selectFrom('campaigns').select('definition_hash').where('id', '=', id).executeTakeFirst();
    if (stored && stored.definition_hash !== hash) await this.#forgetUnstarted(id, path);
    await db.transaction().execute(async (transaction) => {
      const { numInsertedOrUpdatedRows } = await transaction
        .insertInto('campaigns')
        .values({
          id,
          definition_hash: hash,
          definition: JSON.stringify(definition),
          opened_at: this.#now(),
          head_sequence: 0,
          head_hash: hash,
          status: terms.draft ? 'draft' : 'open',
          terms: JSON.stringify(terms),
        })
        .onConflict((conflict) =>
          conflict
            .column('id')
            .doUpdateSet({ definition: JSON.stringify(definition), terms: JSON.stringify(terms) })
            .where('campaigns.definition_hash', '=', hash),
        )
        .executeTakeFirst();
      if (numInsertedOrUpdatedRows !== 1n) {
        throw new Error(`Another server has added a different campaign "${id}" at this moment; give both one file.`);
      }
      // What a campaign of many rounds serves of its versions stays.
      await transaction
        .deleteFrom('files')
        .where('campaign_id', '=', id)
        .where('path', 'not like', valuesPath('%'))
        .execute();
      const files = servedFiles(definition).map((file) => ({ campaign_id: id, ...file }));
      await transaction.insertInto('files').values(files).execute();
    });
    // One that could not be opened a moment ago was told of, and keeps nobody from the others.
    if (this.#open.size === 0 || !this.#failed.isRecent(id, hash)) await this.#openOne(definition, hash);
    return true;
  }

  /** Opens the campaigns that are not open here, or were replaced since, as far as they can be; forgets those that are gone. */
  async openNew(): Promise<OpenedCampaigns> {
    const { db } = this.#store;
    const news: OpenedCampaigns = { opened: [], failures: [] };
    const rows = await db.selectFrom('campaigns').select(['id', 'definition_hash as hash']).execute();
    for (const id of this.#open.keys()) {
      if (rows.some((row) => row.id === id)) continue;
      this.#open.delete(id);
      this.#onGone(id);
    }
    for (const { id, hash } of rows) {
      const known = this.#open.get(id);
      if (known?.hash === hash || this.#failed.isRecent(id, hash)) continue;
      if (this.#open.delete(id)) this.#onGone(id);
      const { definition } = await db
        .selectFrom('campaigns')
        .select('definition')
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      try {
        await this.#openOne(campaignDefinitionSchema.parse(JSON.parse(definition)), hash);
        news.opened.push(id);
      } catch (error) {
        this.#failed.note(id, hash);
        news.failures.push({ campaignId: id, error });
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
    this.#open.delete(campaignId);
    this.#onGone(campaignId);
  }

  async #hasBlobs(definition: CampaignDefinition): Promise<boolean> {
    const hashes = [...servedFiles(definition).map(({ sha256 }) => sha256), definition.heldOutSha256];
    for (const sha256 of hashes) if (!(await this.#store.blobs.has(sha256))) return false;
    return true;
  }

  async #openOne(definition: CampaignDefinition, hash: string): Promise<void> {
    const adapter = await openAdapter(definition, this.#store, this.#now());
    this.#open.set(definition.manifest.id, { definition, adapter, hash });
  }

  /** A campaign that nobody contributed to may change; its versions, uploads and leases meant another one. */
  async #forgetUnstarted(campaignId: string, path: string): Promise<void> {
    await this.#store.db.transaction().execute(async (transaction) => {
      // Whoever accepts a first contribution, on another server, locks the row too: it has done so, or finds none.
      await lockCampaign(transaction, campaignId);
      const { contributions } = await transaction
        .selectFrom('contributions')
        .select((row) => row.fn.countAll<number>().as('contributions'))
        .where('campaign_id', '=', campaignId)
        .executeTakeFirstOrThrow();
      if (contributions > 0) {
        throw new Refusal(
          'campaign_started',
          `${path} has changed since ${contributions} contributions were made to the campaign "${campaignId}". ` +
            'Give the changed campaign another id, or start it with another --data directory.',
        );
      }
      await transaction.deleteFrom('campaigns').where('id', '=', campaignId).execute();
      for (const table of ['versions', 'snapshots', 'evaluations', 'uploads', 'leases'] as const) {
        await transaction.deleteFrom(table).where('campaign_id', '=', campaignId).execute();
      }
    });
    this.#onGone(campaignId);
  }
}

/** Campaigns that could not be opened are not tried again all the time. */
class RecentFailures {
  readonly #byId = new Map<string, { hash: string; at: number }>();

  note(campaignId: string, hash: string): void {
    this.#byId.set(campaignId, { hash, at: performance.now() });
  }

  isRecent(campaignId: string, hash: string): boolean {
    const failure = this.#byId.get(campaignId);
    return failure?.hash === hash && performance.now() - failure.at < TRY_AGAIN_MS;
  }
}
