/** The fold: contributions that are in the ledger become versions of the global adapter, each in one transaction. */
import { decodeDelta, ExactFold, type Version } from '@oneround/fl-core';
import type { PeftFiles } from '@oneround/lora/adapter';
import type { CampaignDefinition } from '../campaign/index.ts';
import { AdapterForm } from './adapter-form.ts';
import type { Blobs } from './blobs.ts';
import type { LedgerDatabase } from './open-database.ts';

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
    await adapter.#commit(adapter.#fold, [], store.now);
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
    const { id, layout, upload, weightScale } = this.#campaign.manifest;
    const pending = await this.#db
      .selectFrom('contributions')
      .selectAll()
      .where('campaign_id', '=', id)
      .where('folded_version', 'is', null)
      .orderBy('sequence')
      .execute();
    if (pending.length === 0) return null;
    const fold = this.#copy();
    for (const { sha256, label_tokens } of pending) {
      const delta = decodeDelta(await this.#blobs.read(sha256), { size: layout.size, codec: upload.codec });
      fold.add(delta, label_tokens * weightScale);
    }
    return this.#commit(
      fold,
      pending.map(({ contribution_id, label_tokens }) => ({ id: contribution_id, labelTokens: label_tokens })),
      now,
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

  async #commit(fold: ExactFold, folded: { id: string; labelTokens: number }[], now: number): Promise<Version> {
    const campaignId = this.#campaign.manifest.id;
    const version = this.#version + 1;
    const { sum, ...published } = this.#form.publish(fold);
    const labelTokens = folded.reduce((sum, contribution) => sum + contribution.labelTokens, this.#labelTokens);
    const row = {
      campaign_id: campaignId,
      version,
      ...published,
      sum_sha256: await this.#blobs.put(sum),
      label_tokens: labelTokens,
      created_at: now,
    };
    const contributionIds = await this.#db.transaction().execute(async (transaction) => {
      const lease = await transaction.selectFrom('fold_lease').select('epoch').where('id', '=', 1).executeTakeFirst();
      if (lease?.epoch !== this.#epoch)
        throw new Error('another server has taken over this ledger; this one must stop');
      await transaction.insertInto('versions').values(row).execute();
      if (folded.length > 0) {
        const result = await transaction
          .updateTable('contributions')
          .set({ folded_version: version })
          .where(
            'contribution_id',
            'in',
            folded.map(({ id }) => id),
          )
          .where('folded_version', 'is', null)
          .executeTakeFirst();
        if (result.numUpdatedRows !== BigInt(folded.length)) throw new Error('the ledger changed during the fold');
      }
      const held = await transaction
        .selectFrom('contributions')
        .select('contribution_id')
        .where('campaign_id', '=', campaignId)
        .where('folded_version', 'is not', null)
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
