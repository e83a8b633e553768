/**
 * The exact sum behind any version. Only a few are stored, as snapshots; every other one is the nearest of them with the
 * contributions between added or taken away, which gives the same bits (fl-core, `fold.ts`). So a data directory holds a
 * few sums, however many versions there are.
 */
import { Refusal, RunningMerge, type SumRule } from '@oneround/fl-core';
import type { CampaignDefinition } from '../campaign/index.ts';
import { hashBytes } from './blobs.ts';
import { changesBetween, difference, isHeldBy, weightsOf, type Member } from './membership.ts';
import type { LedgerDatabase } from './open-database.ts';
import { readDelta } from './read-delta.ts';
import { LedgerFault, recordedBlobs, type RecordedStore } from './recorded-blobs.ts';
import { bytesOf } from './round-steps.ts';

/** When a sum is stored, and how many are. */
export interface SnapshotPolicy {
  /** After this many contributions were folded or withdrawn since the last one, */
  everyMerges: number;
  /** or when a version comes this many milliseconds after it. */
  everyMs: number;
  keep: number;
  /** Values that are added up at most for an old version that somebody asks for: three seconds, `npm run bench -- fold`. */
  replayLimit: number;
}

export const defaultSnapshots: SnapshotPolicy = { everyMerges: 16, everyMs: 60_000, keep: 4, replayLimit: 2 ** 28 };

/** To make a term takes as long as to add it up, at this many multiply-adds a value. */
const WORK_OF_ADDING = 8;

/** A sum and the version it is behind. */
export interface VersionSum {
  version: number;
  merge: RunningMerge;
}

/** A version, and the hash that its sum was recorded with. */
export interface RecordedSum {
  version: number;
  sum_sha256: string;
}

interface StoredSum {
  version: number;
  sha256: string;
  createdAt: number;
}

export interface SumsStore extends RecordedStore {
  snapshots: SnapshotPolicy;
}

export class VersionSums {
  readonly #campaign: CampaignDefinition;
  readonly #rule: SumRule;
  readonly #store: SumsStore;
  readonly #readBlob: (sha256: string) => Promise<Uint8Array>;

  constructor(campaign: CampaignDefinition, rule: SumRule, store: SumsStore) {
    this.#campaign = campaign;
    this.#rule = rule;
    this.#store = store;
    this.#readBlob = recordedBlobs(store, campaign.manifest.id);
  }

  /**
   * The sum behind a version that is there, as a copy.
   * @param members the campaign's, up to that version at least
   * @param known a sum in memory, one more to start from
   * @throws Refusal `version_archived` when more than `limit` values would have to be added up for it; LedgerFault when it is
   *   not the sum that was recorded
   */
  async at(
    recorded: RecordedSum,
    members: readonly Member[],
    known?: VersionSum,
    limit = Number.POSITIVE_INFINITY,
  ): Promise<RunningMerge> {
    const { version } = recorded;
    const inMemory = known ? [{ version: known.version, read: async () => known.merge.copy() }] : [];
    const stored = (await this.#stored()).map((sum) => ({ version: sum.version, read: () => this.#read(sum) }));
    const empty = { version: 0, read: async () => new RunningMerge(this.#rule) };
    const [nearest] = [...inMemory, empty, ...stored]
      .map((base) => ({ ...base, ...this.#difference(members, base.version, version) }))
      .toSorted((a, b) => a.added.length + a.removed.length - (b.added.length + b.removed.length));
    const { read, added, removed } = nearest!;
    const valuesEach = this.#rule.termSize * (1 + this.#rule.termWork / WORK_OF_ADDING);
    if ((added.length + removed.length) * valuesEach > limit) {
      throw new Refusal(
        'version_archived',
        `Version ${version} is not kept ready any more: it lies ${added.length + removed.length} contributions from those that are. Take a newer one.`,
      );
    }
    const merge = await read();
    await this.apply(merge, { added, removed });
    this.#check(recorded, merge);
    return merge;
  }

  /** Takes contributions out of a merge and puts others in. */
  async apply(merge: RunningMerge, { added, removed }: ReturnType<typeof difference>): Promise<void> {
    for (const { sha256, weight } of removed) merge.withdraw({ delta: await this.#delta(sha256), weight });
    for (const { sha256, weight } of added) merge.add({ delta: await this.#delta(sha256), weight });
  }

  /** True when the sum of `version`, which these members end with, should be stored. */
  async isDue(members: readonly Member[], version: number, now: number): Promise<boolean> {
    const { everyMerges, everyMs } = this.#store.snapshots;
    const last = (await this.#stored()).at(-1);
    const since = members.reduce((sum, member) => sum + changesBetween(member, last?.version ?? 0, version), 0);
    return since >= everyMerges || now - (last?.createdAt ?? now) >= everyMs;
  }

  /** Records a stored sum, in the transaction of its version. @throws BlobsGone when another server has dropped it since */
  async record(transaction: LedgerDatabase, sum: StoredSum): Promise<void> {
    const campaignId = this.#campaign.manifest.id;
    const { version, sha256, createdAt } = sum;
    await this.#store.blobs.hold([sha256], transaction);
    await transaction
      .insertInto('snapshots')
      .values({ campaign_id: campaignId, version, sha256, created_at: createdAt })
      .execute();
  }

  /** Forgets the sums that are more than are kept. */
  async prune(): Promise<void> {
    const { db, blobs, snapshots } = this.#store;
    const old = (await this.#stored()).slice(0, -snapshots.keep);
    for (const { version } of old) {
      await db
        .deleteFrom('snapshots')
        .where('campaign_id', '=', this.#campaign.manifest.id)
        .where('version', '=', version)
        .execute();
    }
    const hashes = old.map(({ sha256 }) => sha256);
    await blobs.dropUnnamed(hashes, db);
  }

  /** A contribution's decoded delta. @throws LedgerFault when its blob is missing or has changed */
  #delta(sha256: string): Promise<Float32Array> {
    return readDelta(this.#campaign.manifest, this.#readBlob, sha256);
  }

  #difference(members: readonly Member[], from: number, to: number): ReturnType<typeof difference> {
    const { manifest } = this.#campaign;
    const at = (version: number) => members.filter((member) => isHeldBy(member, version));
    return difference(weightsOf(at(from), manifest), weightsOf(at(to), manifest));
  }

  async #read({ version, sha256 }: StoredSum): Promise<RunningMerge> {
    const { id } = this.#campaign.manifest;
    const { weight } = await this.#store.db
      .selectFrom('versions')
      .select('weight')
      .where('campaign_id', '=', id)
      .where('version', '=', version)
      .executeTakeFirstOrThrow();
    return new RunningMerge(this.#rule, { sum: floats64(await this.#readBlob(sha256)), weight });
  }

  /** Hashing eight bytes a value: ten milliseconds for a million of them. */
  #check({ version, sum_sha256: recorded }: RecordedSum, { sum }: RunningMerge): void {
    const found = hashBytes(bytesOf(sum));
    if (found === recorded) return;
    const owner = `campaign ${this.#campaign.manifest.id}: version ${version}`;
    throw new LedgerFault(owner, `the SHA-256 of its contributions' sum should be ${recorded} but is ${found}`);
  }

  /** Oldest first. */
  async #stored(): Promise<StoredSum[]> {
    return this.#store.db
      .selectFrom('snapshots')
      .select(['version', 'sha256', 'created_at as createdAt'])
      .where('campaign_id', '=', this.#campaign.manifest.id)
      .orderBy('version')
      .execute();
  }
}

function floats64(bytes: Uint8Array): Float64Array {
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  return new Float64Array(buffer, byteOffset, byteLength / 8);
}
