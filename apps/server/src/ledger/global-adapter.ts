/**
 * The fold: contributions that are in the ledger become versions of the global adapter, each in one transaction. What goes
 * out, withdrawn or found wanting, goes by subtraction: the version after is to the bit what it would be without it.
 */
import { contributionWeights, cosineToSum, isFaint, RunningMerge, type SumRule, type Version } from '@oneround/fl-core';
import type { PeftFiles } from '@oneround/lora/adapter';
import type { CampaignDefinition } from '../campaign/index.ts';
import { AdapterForm, type ModelChange, type UpdateToExport } from './adapter-form.ts';
import { appendVerdict, appendWithdrawal, type NewVerdict } from './append-rows.ts';
import { unknownVersion } from './campaign-life.ts';
import { findWithdrawable } from './find-withdrawable.ts';
import type { FoldLease } from './fold-lease.ts';
import { markFolded } from './mark-folded.ts';
import {
  difference,
  isHeldBy,
  labelTokensOf,
  type Member,
  membersAfter,
  readEntrants,
  readMembers,
  weightsOf,
} from './membership.ts';
import type { LedgerDatabase } from './open-database.ts';
import { recordedBlobs } from './recorded-blobs.ts';
import { bytesOf } from './round-steps.ts';
import { countedContributions } from './standing-contributions.ts';
import { VersionSums, type SumsStore } from './version-sums.ts';

/** What a version adds to the ledger besides itself, in its transaction. */
type VersionChange = (transaction: LedgerDatabase, version: number) => Promise<void>;

/** Ids of contributions that come in and go out with a new version. */
interface Exchange {
  enter: readonly string[];
  leave: readonly string[];
}

interface NewVersion extends Exchange {
  /** That of the version before unless told. */
  scale?: number;
  /** Epoch milliseconds. */
  now: number;
  add: VersionChange;
}

/** A verdict on a contribution of this campaign. */
export type ContributionVerdict = Pick<NewVerdict, 'contribution_id' | 'verdict' | 'reason' | 'cosine' | 'worst_loss'>;

/** The row that lets a contribution in again. */
export function admissionOf(contributionId: string): ContributionVerdict {
  return { contribution_id: contributionId, verdict: 'admitted', reason: null, cosine: null, worst_loss: null };
}

/** What the screens' last look ends with. */
export interface Settlement {
  /** Verdicts that differ from those before. */
  verdicts: readonly ContributionVerdict[];
  scale: number;
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
  #merge: RunningMerge;
  /**
   * Every contribution that a version up to the newest holds or held, read once: nothing about them changes but with a version.
   * Of what another server adds just after, there may be some too.
   */
  #members: readonly Member[] = [];
  #version = -1;
  #sumSha256 = '';
  #scale = 1;

  private constructor(campaign: CampaignDefinition, store: AdapterStore, form: AdapterForm) {
    this.#campaign = campaign;
    this.#store = store;
    this.#sums = new VersionSums(campaign, form.rule, store);
    this.#form = form;
    this.#merge = new RunningMerge(form.rule);
  }

  /** Continues from the newest version; a campaign without one gets version 0, its start. */
  static async open(campaign: CampaignDefinition, store: AdapterStore, now: number): Promise<GlobalAdapter> {
    const form = await AdapterForm.read(campaign.manifest, recordedBlobs(store, campaign.manifest.id));
    const adapter = new GlobalAdapter(campaign, store, form);
    await adapter.#refresh();
    if (adapter.#version < 0) {
      await adapter.#publish({ enter: [], leave: [], now, add: async () => undefined });
    }
    return adapter;
  }

  /**
   * Looks at a delta that may be merged on top of what is there; nothing changes.
   * @returns the cosine between it and what is merged; null in a campaign without screens, while fewer contributions are merged
   *   than warm these up, and when what is merged `isFaint`
   * @throws Refusal when it could not be folded exactly
   */
  async examine(delta: Float32Array, contribution: Pick<Member, 'clientId' | 'labelTokens'>): Promise<number | null> {
    await this.#refresh();
    const { merge, weightScale } = this.#campaign.manifest;
    const [weight] = contributionWeights(merge.weights, [contribution], weightScale);
    const term = this.#form.rule.term(delta);
    this.#merge.check(term, weight!);
    return this.#cosine(term);
  }

  /** As `examine`, of a delta that is known to fold. */
  async cosine(delta: Float32Array): Promise<number | null> {
    await this.#refresh();
    return this.#cosine(this.#form.rule.term(delta));
  }

  async #cosine(term: Float32Array): Promise<number | null> {
    const { screens } = this.#campaign.manifest.merge;
    if (!screens) return null;
    const { held } = await countedContributions(this.#store.db, this.#campaign.manifest.id)
      .clearSelect()
      .select((row) => row.fn.countAll<number>().as('held'))
      .where('folded_version', 'is not', null)
      .executeTakeFirstOrThrow();
    if (held < screens.warmUp) return null;
    const { sum, weight } = this.#merge;
    return isFaint(term, sum, weight) ? null : cosineToSum(term, sum);
  }

  /** What contributions are merged by. */
  get rule(): SumRule {
    return this.#form.rule;
  }

  /** The weighted mean of the terms in the newest version. */
  async mean(): Promise<Float32Array> {
    await this.#refresh();
    return this.#merge.mean();
  }

  /** The merge that would be left without these contributions. */
  async mergeWithout(leave: readonly string[]): Promise<RunningMerge> {
    await this.#refresh();
    return this.#mergeOf(this.#held().filter(({ contributionId }) => !leave.includes(contributionId)));
  }

  /**
   * Folds every contribution that is not in a version yet and not set aside, all into one new version.
   * @returns the new version without its evaluation, or null when there was nothing to fold
   * @throws Error when the ledger changed underneath (another process folds it); nothing is then committed
   */
  async foldPending(now: number): Promise<Version | null> {
    await this.#refresh();
    const enter = await this.#pending();
    if (enter.length === 0) return null;
    return this.#publish({
      enter,
      leave: [],
      now,
      add: (transaction, version) => markFolded(transaction, this.#campaign.manifest.id, enter, version),
    });
  }

  /**
   * Takes a contribution out of the global adapter for good. Its row, its delta and the versions that held it stay.
   * @returns the new version without it, or null when none holds it now
   * @throws Refusal `unknown_contribution`, `already_withdrawn`; Error when the ledger changed underneath
   */
  async withdraw(contributionId: string, now: number): Promise<Version | null> {
    await this.#refresh();
    const { db, foldLease } = this.#store;
    const { id } = this.#campaign.manifest;
    await findWithdrawable(db, id, contributionId);
    const append = async (transaction: LedgerDatabase, version: number | null) => {
      await foldLease.check(transaction);
      const row = { contribution_id: contributionId, campaign_id: id, version, withdrawn_at: now };
      await appendWithdrawal(transaction, row);
    };
    if (this.#held().some((member) => member.contributionId === contributionId)) {
      return this.#publish({ enter: [], leave: [contributionId], now, add: append });
    }
    await db.transaction().execute((transaction) => append(transaction, null));
    return null;
  }

  /**
   * Takes contributions that the screens found wanting out of the global adapter, into quarantine.
   * @returns the new version without them, or null when none was held
   */
  async quarantine(verdicts: readonly ContributionVerdict[], now: number): Promise<Version | null> {
    await this.#refresh();
    const held = this.#heldIds();
    const found = verdicts.filter(({ contribution_id }) => held.has(contribution_id));
    if (found.length === 0) return null;
    const leave = found.map(({ contribution_id }) => contribution_id);
    const add: VersionChange = (transaction, version) => this.#record(transaction, found, now, () => version);
    return this.#publish({ enter: [], leave, now, add });
  }

  /** Lets contributions in that were set aside before any version held them; the next fold takes them. */
  async admit(contributionIds: readonly string[], now: number): Promise<void> {
    const { db, foldLease } = this.#store;
    const verdicts = contributionIds.map(admissionOf);
    await db.transaction().execute(async (transaction) => {
      await foldLease.check(transaction);
      await this.#record(transaction, verdicts, now, () => null);
    });
  }

  /**
   * Ends a campaign's screening: what was put aside and is borne now comes in, what is not goes out.
   * @returns the new version, or null when the newest is what the campaign settles on
   */
  async settle({ verdicts, scale }: Settlement, now: number): Promise<Version | null> {
    await this.#refresh();
    const decided = new Map(verdicts.map(({ contribution_id, verdict }) => [contribution_id, verdict]));
    const held = this.#heldIds();
    const leave = [...decided].flatMap(([id, verdict]) => (verdict === 'quarantined' && held.has(id) ? [id] : []));
    const enter = [...decided].flatMap(([id, verdict]) => (verdict === 'admitted' ? [id] : []));
    const known = new Set(this.#members.map(({ contributionId }) => contributionId));
    const changed = new Set([...leave, ...enter.filter((id) => known.has(id))]);
    const settle = async (transaction: LedgerDatabase, version: number, isNew: boolean) => {
      await this.#record(transaction, verdicts, now, (id) => (isNew && changed.has(id) ? version : null));
      const { numUpdatedRows } = await transaction
        .updateTable('campaigns')
        .set({ settled_version: version })
        .where('id', '=', this.#campaign.manifest.id)
        .where('settled_version', 'is', null)
        .executeTakeFirst();
      if (numUpdatedRows !== 1n) throw new Error('another server has settled this campaign');
    };
    if (leave.length + enter.length === 0 && scale === this.#scale) {
      await this.#store.db.transaction().execute(async (transaction) => {
        await this.#store.foldLease.check(transaction);
        await settle(transaction, this.#version, false);
      });
      return null;
    }
    const add: VersionChange = async (transaction, version) => {
      const fresh = enter.filter((id) => !known.has(id));
      await markFolded(transaction, this.#campaign.manifest.id, fresh, version);
      await settle(transaction, version, true);
    };
    return this.#publish({ enter, leave, scale, now, add });
  }

  /** What a version makes of the model. @throws Refusal `unknown_version` */
  change(version: number): Promise<ModelChange> {
    return this.#change(version);
  }

  /**
   * The PEFT folder of a version; of an update what one can be made of, which takes longer than anybody here should wait.
   * @throws Refusal `unknown_version`, or `version_archived` for one that would hold everybody else up
   */
  async exportVersion(version: number): Promise<PeftFiles | UpdateToExport> {
    const { kind, values } = await this.#change(version, this.#store.snapshots.replayLimit);
    return kind === 'update' ? this.#form.updateToExport(values) : this.#form.exportValues(values);
  }

  /** What a contribution alone makes of the model. */
  async alone(delta: Float32Array): Promise<ModelChange> {
    return { kind: 'adapter', values: this.#form.fromStart(delta) };
  }

  /** What a merge with this mean would make of the model. */
  tried(mean: Float32Array): ModelChange {
    return this.#form.change(mean);
  }

  async newestVersion(): Promise<number> {
    await this.#refresh();
    return this.#version;
  }

  async #change(version: number, limit?: number): Promise<ModelChange> {
    await this.#refresh();
    const { id } = this.#campaign.manifest;
    if (version > this.#version) throw unknownVersion(id, version);
    if (version === this.#version) return this.#form.changeOf(this.#merge, this.#scale);
    const newest = { version: this.#version, merge: this.#merge };
    const row = await this.#store.db
      .selectFrom('versions')
      .select(['version', 'scale', 'sum_sha256'])
      .where('campaign_id', '=', id)
      .where('version', '=', version)
      .executeTakeFirstOrThrow();
    return this.#form.changeOf(await this.#sums.at(row, this.#members, newest, limit), row.scale);
  }

  /** Goes on from the newest version, whichever server made it. */
  async #refresh(): Promise<void> {
    const newest = await this.#store.db
      .selectFrom('versions')
      .select(['version', 'scale', 'sum_sha256'])
      .where('campaign_id', '=', this.#campaign.manifest.id)
      .orderBy('version', 'desc')
      .executeTakeFirst();
    // By its sum, too: the campaign may have been deleted and added again, and have as many versions.
    if (!newest || (newest.version === this.#version && newest.sum_sha256 === this.#sumSha256)) return;
    const isLater = this.#version >= 0 && newest.version > this.#version;
    const known = isLater ? { version: this.#version, merge: this.#merge } : undefined;
    const members = await readMembers(this.#store.db, this.#campaign.manifest.id);
    this.#merge = await this.#sums.at(newest, members, known);
    this.#members = members;
    this.#version = newest.version;
    this.#sumSha256 = newest.sum_sha256;
    this.#scale = newest.scale;
  }

  /** What the newest version holds. */
  #held(): Member[] {
    return this.#members.filter((member) => isHeldBy(member, this.#version));
  }

  #heldIds(): Set<string> {
    return new Set(this.#held().map(({ contributionId }) => contributionId));
  }

  /** What waits for a fold. */
  async #pending(): Promise<string[]> {
    const rows = await countedContributions(this.#store.db, this.#campaign.manifest.id)
      .where('folded_version', 'is', null)
      .execute();
    return rows.map(({ contribution_id }) => contribution_id);
  }

  async #record(
    transaction: LedgerDatabase,
    verdicts: readonly ContributionVerdict[],
    now: number,
    versionOf: (contributionId: string) => number | null,
  ): Promise<void> {
    const { id } = this.#campaign.manifest;
    for (const verdict of verdicts) {
      const version = versionOf(verdict.contribution_id);
      await appendVerdict(transaction, { ...verdict, campaign_id: id, version, decided_at: now });
    }
  }

  /** The sum of these members, made from the newest version's. */
  async #mergeOf(after: readonly Member[]): Promise<RunningMerge> {
    const { manifest } = this.#campaign;
    const merge = this.#merge.copy();
    await this.#sums.apply(merge, difference(weightsOf(this.#held(), manifest), weightsOf(after, manifest)));
    return merge;
  }

  async #publish({ enter, leave, scale = this.#scale, now, add }: NewVersion): Promise<Version> {
    const { manifest } = this.#campaign;
    const version = this.#version + 1;
    const entrants = await readEntrants(this.#store.db, manifest.id, enter);
    const members = membersAfter(this.#members, { version, enter: entrants, leave });
    const held = members.filter((member) => isHeldBy(member, version));
    const merge = await this.#mergeOf(held);
    const row = {
      campaign_id: manifest.id,
      version,
      ...this.#form.publish(merge, scale),
      label_tokens: labelTokensOf(held),
      created_at: now,
    };
    const isSnapshot = version > 0 && (await this.#sums.isDue(members, version, now));
    if (isSnapshot) await this.#store.blobs.put(bytesOf(merge.sum));
    await this.#store.db.transaction().execute(async (transaction) => {
      // What a campaign starts from, any server may say: they all say the same.
      if (version > 0) await this.#store.foldLease.check(transaction);
      await transaction
        .insertInto('versions')
        .values(row)
        .$if(version === 0, (query) => query.onConflict((conflict) => conflict.doNothing()))
        .execute();
      await add(transaction, version);
      if (isSnapshot) await this.#sums.record(transaction, { version, sha256: row.sum_sha256, createdAt: now });
    });
    this.#merge = merge;
    this.#members = members;
    this.#version = version;
    this.#sumSha256 = row.sum_sha256;
    this.#scale = scale;
    if (isSnapshot) await this.#sums.prune();
    return {
      version,
      sha256: row.sha256,
      exportSha256: row.export_sha256 || null,
      labelTokens: row.label_tokens,
      scale,
      createdAt: now,
      evaluation: null,
    };
  }
}
