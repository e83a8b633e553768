/**
 * Many rounds on the ledger of one: version n is a step of the server's optimiser from version n - 1, along the mean of the
 * contributions that were trained from that. A round ends, in one transaction, when as many as it wants stand.
 */
import { Refusal, type RoundSettings, type Version } from '@oneround/fl-core';
import type { PeftFiles } from '@oneround/lora/adapter';
import type { CampaignDefinition } from '../campaign/index.ts';
import { AdapterForm, type ModelChange } from './adapter-form.ts';
import { appendWithdrawal } from './append-rows.ts';
import { hashBytes } from './blobs.ts';
import { unknownVersion } from './campaign-life.ts';
import { findWithdrawable } from './find-withdrawable.ts';
import type { AdapterStore } from './global-adapter.ts';
import { markFolded } from './mark-folded.ts';
import type { Member } from './membership.ts';
import { recordedBlobs } from './recorded-blobs.ts';
import { RoundHistory } from './round-history.ts';
import { afterRound, encodeRoundState, RoundFold, type RoundMember, type RoundState } from './round-steps.ts';
import { standingContributions } from './standing-contributions.ts';

interface RoundsParts {
  campaign: CampaignDefinition;
  rounds: RoundSettings;
  store: AdapterStore;
  form: AdapterForm;
}

/** One campaign's adapter: the newest round's state, rebuilt from the ledger at start and kept up. */
export class RoundsAdapter {
  readonly #parts: RoundsParts;
  readonly #history: RoundHistory;
  readonly #fold: RoundFold;
  #state: RoundState | undefined;

  private constructor(parts: RoundsParts) {
    const { campaign, store, form } = parts;
    this.#parts = parts;
    this.#history = new RoundHistory(parts);
    this.#fold = new RoundFold(campaign.manifest, form.rule, recordedBlobs(store, campaign.manifest.id));
  }

  /** Continues from the newest version; a campaign without one gets version 0, its start. */
  static async open(
    campaign: CampaignDefinition,
    rounds: RoundSettings,
    store: AdapterStore,
    now: number,
  ): Promise<RoundsAdapter> {
    const form = await AdapterForm.read(campaign.manifest, recordedBlobs(store, campaign.manifest.id));
    const adapter = new RoundsAdapter({ campaign, rounds, store, form });
    const start = adapter.#rowOf(adapter.#history.start(), 0, now);
    // Any server may say it: they all say the same.
    await store.db
      .insertInto('versions')
      .values(start)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    return adapter;
  }

  /**
   * Looks at a delta; nothing changes. Rounds are not screened.
   * @throws Refusal when it could not be folded exactly into its round
   */
  async examine(delta: Float32Array, contribution: Pick<Member, 'clientId' | 'labelTokens'>): Promise<null> {
    const { version } = await this.#newest();
    const { form } = this.#parts;
    const fold = await this.#fold.of(await this.#members(version));
    fold.check(form.rule.term(delta), this.#fold.weight(contribution));
    return null;
  }

  /**
   * Ends the round, if all that it wants are in.
   * @returns the new version without its evaluation, or null
   * @throws Error when the ledger changed underneath (another process folds it); nothing is then committed
   */
  async foldPending(now: number): Promise<Version | null> {
    const { rounds } = this.#parts;
    const before = await this.#newest();
    const members = await this.#members(before.version);
    if (before.version >= rounds.count || members.length < rounds.contributions) return null;
    const fold = await this.#fold.of(members);
    return this.#commit(afterRound(before, rounds, fold, members), fold.weight, members, now);
  }

  /**
   * Takes back a contribution whose round has not ended; its row and its delta stay.
   * @throws Refusal `trained_upon` after that; `unknown_contribution`, `already_withdrawn`
   */
  async withdraw(contributionId: string, now: number): Promise<null> {
    const { campaign, store } = this.#parts;
    const { id } = campaign.manifest;
    const held = await findWithdrawable(store.db, id, contributionId);
    if (held !== null) {
      throw new Refusal(
        'trained_upon',
        `The contribution ${contributionId} is in version ${held}, which later rounds are trained from: taking it out would not take out what they learnt from it. A campaign of one round can withdraw any contribution exactly.`,
      );
    }
    await store.db.transaction().execute(async (transaction) => {
      await store.foldLease.check(transaction);
      const row = { contribution_id: contributionId, campaign_id: id, version: null, withdrawn_at: now };
      await appendWithdrawal(transaction, row);
    });
    return null;
  }

  /** What a version makes of the model. @throws Refusal `unknown_version`, `version_archived` */
  async change(version: number): Promise<ModelChange> {
    return { kind: 'adapter', values: await this.#values(version) };
  }

  /** The PEFT folder of a version. @throws Refusal `unknown_version`, `version_archived` */
  async exportVersion(version: number): Promise<PeftFiles> {
    return this.#parts.form.exportValues(await this.#values(version));
  }

  /** What a contribution alone makes of the model: `delta` away from the version that it was trained from. */
  async alone(delta: Float32Array, baseVersion: number): Promise<ModelChange> {
    const base = await this.#values(baseVersion);
    return { kind: 'adapter', values: base.map((value, i) => value + delta[i]!) };
  }

  async newestVersion(): Promise<number> {
    return (await this.#newest()).version;
  }

  /** @throws Refusal `unknown_version`, `version_archived` */
  async #values(version: number): Promise<Float32Array> {
    const { id } = this.#parts.campaign.manifest;
    if (version > (await this.newestVersion())) throw unknownVersion(id, version);
    return this.#history.values(version);
  }

  /** The newest version's state, whichever server made it. */
  async #newest(): Promise<RoundState> {
    this.#state = await this.#history.newest(this.#state);
    return this.#state;
  }

  /** What stands of the round that is trained from `base`. */
  async #members(base: number): Promise<RoundMember[]> {
    const { campaign, store } = this.#parts;
    return standingContributions(store.db, campaign.manifest.id)
      .select(['contribution_id', 'client_id', 'sha256', 'label_tokens'])
      .where('base_version', '=', base)
      .orderBy('sequence')
      .execute();
  }

  #rowOf(state: RoundState, weight: number, now: number) {
    const { campaign, form } = this.#parts;
    return {
      campaign_id: campaign.manifest.id,
      version: state.version,
      ...form.hashesOf({ kind: 'adapter', values: state.values }),
      sum_sha256: hashBytes(encodeRoundState(state)),
      weight,
      label_tokens: state.labelTokens,
      scale: 1,
      created_at: now,
    };
  }

  async #commit(state: RoundState, weight: number, members: RoundMember[], now: number): Promise<Version> {
    const { campaign, store } = this.#parts;
    const { id } = campaign.manifest;
    const row = this.#rowOf(state, weight, now);
    const stored = await this.#history.store(state);
    await store.db.transaction().execute(async (transaction) => {
      await store.foldLease.check(transaction);
      await transaction.insertInto('versions').values(row).execute();
      const ids = members.map(({ contribution_id }) => contribution_id);
      await markFolded(transaction, id, ids, state.version);
      await this.#history.record(transaction, stored, now);
    });
    this.#state = state;
    await this.#history.prune();
    return {
      version: state.version,
      sha256: row.sha256,
      exportSha256: row.export_sha256 || null,
      labelTokens: state.labelTokens,
      scale: 1,
      createdAt: now,
      evaluation: null,
    };
  }
}
