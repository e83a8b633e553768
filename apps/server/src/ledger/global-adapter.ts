/**
 * The fold: contributions that are in the ledger become versions of the global adapter, each in one transaction. A
 * withdrawal makes one too, by subtraction: to the bit what it would be without the contribution.
 */
import { decodeDelta, ExactFold, Refusal, type Version } from '@oneround/fl-core';
import type { PeftFiles } from '@oneround/lora/adapter';
import type { CampaignDefinition } from '../campaign/index.ts';
import { AdapterForm } from './adapter-form.ts';
import type { Blobs } from './blobs.ts';
import { moveHead, readHead, withdrawalRowHash } from './chain.ts';
import type { LedgerDatabase } from './open-database.ts';

/** What a version adds to the ledger besides itself, in its transaction. */
type VersionChange = (transaction: LedgerDatabase, version: number) => Promise<void>;

/** One campaign's global adapter: a cache of its newest version's sum, rebuilt from the ledger at start. */
export class GlobalAdapter {
  readonly #campaign: CampaignDefinition;
  readonly #db: LedgerDatabase;
  readonly #blobs: Blobs;
  readonly #epoch: number;
  readonly #form: AdapterForm;
  #fold: ExactFold;
  #version: number;
  #labelTokens: number;

  private constructor(
    campaign: CampaignDefinition,
    store: { db: LedgerDatabase; blobs: Blobs; epoch: number },
    form: AdapterForm,
    newest: { fold: ExactFold; version: number; labelTokens: number },
  ) {
    this.#campaign = campaign;
    this.#db = store.db;
    this.#blobs = store.blobs;
    this.#epoch = store.epoch;
    this.#form = form;
    this.#fold = newest.fold;
    this.#version = newest.version;
    this.#labelTokens = newest.labelTokens;
  }

  /** Continues from the newest version; a campaign without one gets version 0, its start. */
  static async open(
    campaign: CampaignDefinition,
    store: { db: LedgerDatabase; blobs: Blobs; epoch: number; now: number },
  ): Promise<GlobalAdapter> {
    const { id, layout } = campaign.manifest;
    const form = await AdapterForm.read(campaign.manifest, (sha256) => store.blobs.read(sha256));
    const newest = await store.db
      .selectFrom('versions')
      .selectAll()
      .where('campaign_id', '=', id)
      .orderBy('version', 'desc')
      .executeTakeFirst();
    if (newest) {
      const fold = new ExactFold(layout.size, {
        sum: floats64(await store.blobs.read(newest.sum_sha256)),
        weight: newest.weight,
      });
      return new GlobalAdapter(campaign, store, form, {
        fold,
        version: newest.version,
        labelTokens: newest.label_tokens,
      });
    }
    const adapter = new GlobalAdapter(campaign, store, form, {
      fold: new ExactFold(layout.size),
      version: -1,
      labelTokens: 0,
    });
    await adapter.#commit(adapter.#fold, 0, store.now, async () => undefined);
    return adapter;
  }

  /** @throws Refusal when this delta could not be folded exactly on top of what is there; nothing changes */
  checkFoldable(delta: Float32Array, labelTokens: number): void {
    this.#copy().add(delta, labelTokens * this.#campaign.manifest.weightScale);
  }

  /**
   * Folds every contribution that is not in a version yet, all into one new version.
   * @returns the new version without its evaluation, or null when there was nothing to fold
   * @throws Error when the ledger changed underneath (another process folds it); nothing is then committed
   */
  async foldPending(now: number): Promise<Version | null> {
    const { id, weightScale } = this.#campaign.manifest;
    const pending = await this.#db
      .selectFrom('contributions')
      .select(['contribution_id', 'sha256', 'label_tokens'])
      .where('campaign_id', '=', id)
      .where('folded_version', 'is', null)
      .where('contribution_id', 'not in', this.#withdrawn(this.#db))
      .orderBy('sequence')
      .execute();
    if (pending.length === 0) return null;
    const fold = this.#copy();
    for (const row of pending) fold.add(await this.#delta(row.sha256), row.label_tokens * weightScale);
    const labelTokens = pending.reduce((sum, row) => sum + row.label_tokens, this.#labelTokens);
    return this.#commit(fold, labelTokens, now, async (transaction, version) => {
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
    });
  }

  /**
   * Takes a contribution out of the global adapter for good. Its row, its delta and the versions that held it stay.
   * @returns the new version without it, or null when no version held it yet
   * @throws Refusal `unknown_contribution`, `already_withdrawn`; Error when the ledger changed underneath
   */
  async withdraw(contributionId: string, now: number): Promise<Version | null> {
    const { id, weightScale } = this.#campaign.manifest;
    const contribution = await this.#db
      .selectFrom('contributions')
      .select(['sha256', 'label_tokens', 'folded_version'])
      .where('contribution_id', '=', contributionId)
      .where('campaign_id', '=', id)
      .executeTakeFirst();
    if (!contribution) {
      throw new Refusal('unknown_contribution', `The campaign "${id}" has no contribution ${contributionId}.`);
    }
    const earlier = await this.#withdrawn(this.#db).where('contribution_id', '=', contributionId).executeTakeFirst();
    if (earlier) {
      throw new Refusal('already_withdrawn', `The contribution ${contributionId} was withdrawn before.`);
    }
    const { sha256, label_tokens, folded_version } = contribution;
    if (folded_version === null) {
      await this.#db
        .transaction()
        .execute((transaction) => this.#addWithdrawal(transaction, contributionId, null, now));
      return null;
    }
    const fold = this.#copy();
    fold.withdraw(await this.#delta(sha256), label_tokens * weightScale);
    return this.#commit(fold, this.#labelTokens - label_tokens, now, (transaction, version) =>
      this.#addWithdrawal(transaction, contributionId, version, now),
    );
  }

  /**
   * The global adapter's values at a version: the start plus the weighted mean of the deltas, f32 in layout order.
   * @throws RangeError for a version that is not there
   */
  async values(version: number): Promise<Float32Array> {
    const { id, layout } = this.#campaign.manifest;
    const row = await this.#db
      .selectFrom('versions')
      .select(['sum_sha256', 'weight'])
      .where('campaign_id', '=', id)
      .where('version', '=', version)
      .executeTakeFirst();
    if (!row) throw new RangeError(`campaign ${id} has no version ${version}`);
    const sum = floats64(await this.#blobs.read(row.sum_sha256));
    return this.fromStart(new ExactFold(layout.size, { sum, weight: row.weight }).mean());
  }

  /** The values of the adapter that is `delta` away from the start. */
  fromStart(delta: Float32Array): Float32Array {
    return this.#form.fromStart(delta);
  }

  get newestVersion(): number {
    return this.#version;
  }

  /** The PEFT folder of an adapter with these values. */
  exportValues(values: Float32Array): PeftFiles {
    return this.#form.exportValues(values);
  }

  #copy(): ExactFold {
    return new ExactFold(this.#fold.size, { sum: this.#fold.sum, weight: this.#fold.weight });
  }

  async #delta(sha256: string): Promise<Float32Array> {
    const { layout, upload } = this.#campaign.manifest;
    return decodeDelta(await this.#blobs.read(sha256), { size: layout.size, codec: upload.codec });
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
    await this.#checkEpoch(transaction);
    const campaignId = this.#campaign.manifest.id;
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

  /** @throws Error when another process has opened the ledger since: it folds now */
  async #checkEpoch(transaction: LedgerDatabase): Promise<void> {
    const lease = await transaction.selectFrom('fold_lease').select('epoch').where('id', '=', 1).executeTakeFirst();
    if (lease?.epoch !== this.#epoch) throw new Error('another server has taken over this ledger; this one must stop');
  }

  async #commit(fold: ExactFold, labelTokens: number, now: number, change: VersionChange): Promise<Version> {
    const campaignId = this.#campaign.manifest.id;
    const version = this.#version + 1;
    const { sum, ...published } = this.#form.publish(fold);
    const row = {
      campaign_id: campaignId,
      version,
      ...published,
      sum_sha256: await this.#blobs.put(sum),
      label_tokens: labelTokens,
      created_at: now,
    };
    const contributionIds = await this.#db.transaction().execute(async (transaction) => {
      await this.#checkEpoch(transaction);
      await transaction.insertInto('versions').values(row).execute();
      await change(transaction, version);
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

function floats64(bytes: Uint8Array): Float64Array {
  return new Float64Array(new Uint8Array(bytes).buffer);
}
