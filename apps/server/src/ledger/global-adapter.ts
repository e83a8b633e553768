/**
 * The fold: contributions that are in the ledger become versions of the global adapter, each in one transaction. A
 * withdrawal makes one too, by subtraction: to the bit what it would be without the contribution.
 */
import { ExactFold, Refusal, type Version } from '@oneround/fl-core';
import type { PeftFiles } from '@oneround/lora/adapter';
import type { CampaignDefinition } from '../campaign/index.ts';
import { AdapterForm } from './adapter-form.ts';
import { hashBytes } from './blobs.ts';
import { moveHead, readHead, withdrawalRowHash } from './chain.ts';
import { lockCampaign } from './dialect.ts';
import type { FoldLease } from './fold-lease.ts';
import type { LedgerDatabase } from './open-database.ts';
import { VersionSums, type SumsStore } from './version-sums.ts';

/** What a version adds to the ledger besides itself, in its transaction. */
type VersionChange = (transaction: LedgerDatabase, version: number) => Promise<void>;

interface NewVersion {
  /** Behind the version, all together. */
  labelTokens: number;
  /** Contributions that it adds or takes away. */
  merges: number;
  /** Epoch milliseconds. */
  now: number;
  add: VersionChange;
}

/** Where versions are kept, and who makes them. */
export interface AdapterStore extends SumsStore {
  foldLease: FoldLease;
}

/** One campaign's global adapter: a cache of its newest version's sum, rebuilt from the ledger at start and kept up. */
export class GlobalAdapter {
  readonly #campaign: CampaignDefinition;
  readonly #store: AdapterStore;
  readonly #sums: VersionSums;
  readonly #form: AdapterForm;
  #fold: ExactFold;
  #version = -1;
  #labelTokens = 0;

  private constructor(campaign: CampaignDefinition, store: AdapterStore, form: AdapterForm) {
    this.#campaign = campaign;
    this.#store = store;
    this.#sums = new VersionSums(campaign, store);
    this.#form = form;
    this.#fold = new ExactFold(campaign.manifest.layout.size);
  }

  /** Continues from the newest version; a campaign without one gets version 0, its start. */
  static async open(campaign: CampaignDefinition, store: AdapterStore, now: number): Promise<GlobalAdapter> {
    const form = await AdapterForm.read(campaign.manifest, (sha256) => store.blobs.read(sha256));
    const adapter = new GlobalAdapter(campaign, store, form);
    await adapter.#refresh();
    if (adapter.#version < 0) {
      await adapter.#commit(adapter.#fold, { labelTokens: 0, merges: 0, now, add: async () => undefined });
    }
    return adapter;
  }

  /** @throws Refusal when this delta could not be folded exactly on top of what is there; nothing changes */
  async checkFoldable(delta: Float32Array, labelTokens: number): Promise<void> {
    await this.#refresh();
    this.#copy().add(delta, this.#sums.weight(labelTokens));
  }

  /**
   * Folds every contribution that is not in a version yet, all into one new version.
   * @returns the new version without its evaluation, or null when there was nothing to fold
   * @throws Error when the ledger changed underneath (another process folds it); nothing is then committed
   */
  async foldPending(now: number): Promise<Version | null> {
    await this.#refresh();
    const { id } = this.#campaign.manifest;
    const pending = await this.#store.db
      .selectFrom('contributions')
      .select(['contribution_id', 'sha256', 'label_tokens'])
      .where('campaign_id', '=', id)
      .where('folded_version', 'is', null)
      .where('contribution_id', 'not in', this.#withdrawn(this.#store.db))
      .orderBy('sequence')
      .execute();
    if (pending.length === 0) return null;
    const fold = this.#copy();
    for (const row of pending) fold.add(await this.#sums.delta(row.sha256), this.#sums.weight(row.label_tokens));
    const labelTokens = pending.reduce((sum, row) => sum + row.label_tokens, this.#labelTokens);
    const add: VersionChange = async (transaction, version) => {
      const result = await transaction
        .updateTable('contributions')
        .set({ folded_version: version })
        .where(
          'contribution_id',
          'in',
          pending.map(({ contribution_id }) => contribution_id),
        )
        .where('folded_version', 'is', null)
        .where('contribution_id', 'not in', this.#withdrawn(transaction))
        .executeTakeFirst();
      if (result.numUpdatedRows !== BigInt(pending.length)) throw new Error('the ledger changed during the fold');
    };
    return this.#commit(fold, { labelTokens, merges: pending.length, now, add });
  }

  /**
   * Takes a contribution out of the global adapter for good. Its row, its delta and the versions that held it stay.
   * @returns the new version without it, or null when no version held it yet
   * @throws Refusal `unknown_contribution`, `already_withdrawn`; Error when the ledger changed underneath
   */
  async withdraw(contributionId: string, now: number): Promise<Version | null> {
    await this.#refresh();
    const { id } = this.#campaign.manifest;
    const contribution = await this.#store.db
      .selectFrom('contributions')
      .select(['sha256', 'label_tokens', 'folded_version'])
      .where('contribution_id', '=', contributionId)
      .where('campaign_id', '=', id)
      .executeTakeFirst();
    if (!contribution) {
      throw new Refusal('unknown_contribution', `The campaign "${id}" has no contribution ${contributionId}.`);
    }
    const earlier = await this.#withdrawn(this.#store.db)
      .where('contribution_id', '=', contributionId)
      .executeTakeFirst();
    if (earlier) {
      throw new Refusal('already_withdrawn', `The contribution ${contributionId} was withdrawn before.`);
    }
    const { sha256, label_tokens, folded_version } = contribution;
    if (folded_version === null) {
      await this.#store.db
        .transaction()
        .execute((transaction) => this.#addWithdrawal(transaction, contributionId, null, now));
      return null;
    }
    const fold = this.#copy();
    fold.withdraw(await this.#sums.delta(sha256), this.#sums.weight(label_tokens));
    const add: VersionChange = (transaction, version) => this.#addWithdrawal(transaction, contributionId, version, now);
    return this.#commit(fold, { labelTokens: this.#labelTokens - label_tokens, merges: 1, now, add });
  }

  /**
   * The global adapter's values at a version: the start plus the weighted mean of the deltas, f32 in layout order.
   * @throws Refusal `unknown_version`
   */
  async values(version: number, limit?: number): Promise<Float32Array> {
    await this.#refresh();
    const { id } = this.#campaign.manifest;
    if (version > this.#version)
      throw new Refusal('unknown_version', `The campaign "${id}" has no version ${version}.`);
    const newest = { version: this.#version, fold: this.#fold };
    return this.fromStart((await this.#sums.at(version, newest, limit)).mean());
  }

  /**
   * The PEFT folder of a version.
   * @throws Refusal `unknown_version`, or `version_archived` for one that would hold everybody else up
   */
  async exportVersion(version: number): Promise<PeftFiles> {
    return this.#form.exportValues(await this.values(version, this.#store.snapshots.replayLimit));
  }

  /** The values of the adapter that is `delta` away from the start. */
  fromStart(delta: Float32Array): Float32Array {
    return this.#form.fromStart(delta);
  }

  async newestVersion(): Promise<number> {
    await this.#refresh();
    return this.#version;
  }

  /** Goes on from the newest version, whichever server made it. */
  async #refresh(): Promise<void> {
    const newest = await this.#store.db
      .selectFrom('versions')
      .select(['version', 'label_tokens'])
      .where('campaign_id', '=', this.#campaign.manifest.id)
      .orderBy('version', 'desc')
      .executeTakeFirst();
    if (!newest || newest.version === this.#version) return;
    const known = this.#version < 0 ? undefined : { version: this.#version, fold: this.#fold };
    this.#fold = await this.#sums.at(newest.version, known);
    this.#version = newest.version;
    this.#labelTokens = newest.label_tokens;
  }

  #copy(): ExactFold {
    return new ExactFold(this.#fold.size, { sum: this.#fold.sum, weight: this.#fold.weight });
  }

  /** The ids of this campaign's withdrawn contributions, as a query. */
  #withdrawn(db: LedgerDatabase) {
    return db.selectFrom('withdrawals').select('contribution_id').where('campaign_id', '=', this.#campaign.manifest.id);
  }

  async #addWithdrawal(
    transaction: LedgerDatabase,
    contributionId: string,
    version: number | null,
    now: number,
  ): Promise<void> {
    await this.#store.foldLease.check(transaction);
    const campaignId = this.#campaign.manifest.id;
    await lockCampaign(transaction, campaignId);
    const head = await readHead(transaction, campaignId);
    const row = {
      contribution_id: contributionId,
      campaign_id: campaignId,
      sequence: head.sequence + 1,
      version,
      withdrawn_at: now,
    };
    const hash = await withdrawalRowHash(head.hash, row);
    await moveHead(transaction, campaignId, head, hash);
    await transaction
      .insertInto('withdrawals')
      .values({ ...row, previous_hash: head.hash, row_hash: hash })
      .execute();
  }

  async #commit(fold: ExactFold, change: NewVersion): Promise<Version> {
    const campaignId = this.#campaign.manifest.id;
    const { labelTokens, merges, now, add } = change;
    const version = this.#version + 1;
    const { sum, ...published } = this.#form.publish(fold);
    const row = {
      campaign_id: campaignId,
      version,
      ...published,
      sum_sha256: hashBytes(sum),
      label_tokens: labelTokens,
      created_at: now,
    };
    const isSnapshot = version > 0 && (await this.#sums.isDue(this.#version, merges, now));
    if (isSnapshot) await this.#store.blobs.put(sum);
    const contributionIds = await this.#store.db.transaction().execute(async (transaction) => {
      // What a campaign starts from, any server may say: they all say the same.
      if (version > 0) await this.#store.foldLease.check(transaction);
      await transaction
        .insertInto('versions')
        .values(row)
        .$if(version === 0, (query) => query.onConflict((conflict) => conflict.doNothing()))
        .execute();
      await add(transaction, version);
      if (isSnapshot) await this.#sums.record(transaction, { version, sha256: row.sum_sha256, createdAt: now });
      const held = await transaction
        .selectFrom('contributions')
        .select('contribution_id')
        .where('campaign_id', '=', campaignId)
        .where('folded_version', 'is not', null)
        .where('contribution_id', 'not in', this.#withdrawn(transaction))
        .orderBy('sequence')
        .execute();
      return held.map(({ contribution_id }) => contribution_id);
    });
    this.#fold = fold;
    this.#version = version;
    this.#labelTokens = labelTokens;
    if (isSnapshot) await this.#sums.prune();
    return {
      version,
      sha256: row.sha256,
      exportSha256: row.export_sha256,
      contributionIds,
      labelTokens,
      createdAt: now,
      evaluation: null,
    };
  }
}
