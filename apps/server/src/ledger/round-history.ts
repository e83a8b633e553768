/**
 * The state after any round. Those of the last few rounds are stored; every other one is worked out again from the nearest
 * before it, round by round, which gives the same bits.
 */
import { Refusal, type RoundSettings } from '@oneround/fl-core';
import type { CampaignDefinition } from '../campaign/index.ts';
import type { AdapterForm } from './adapter-form.ts';
import { unreferencedBlobs } from './blob-references.ts';
import type { LedgerDatabase } from './open-database.ts';
import {
  afterRound,
  bytesOf,
  decodeRoundState,
  encodeRoundState,
  RoundFold,
  type RoundMember,
  type RoundState,
  startOfRounds,
} from './round-steps.ts';
import { valuesPath } from './rounds.ts';
import type { SumsStore } from './version-sums.ts';

export interface RoundHistoryParts {
  campaign: CampaignDefinition;
  rounds: RoundSettings;
  store: SumsStore;
  form: AdapterForm;
}

/** A state in the store, by its hashes. */
export interface StoredRound {
  version: number;
  /** Of `encodeRoundState`'s bytes. */
  stateSha256: string;
  /** Of the values, which clients fetch. */
  valuesSha256: string;
}

export class RoundHistory {
  readonly #parts: RoundHistoryParts;

  constructor(parts: RoundHistoryParts) {
    this.#parts = parts;
  }

  /**
   * The state after a version that is there.
   * @param known a state in memory, one more to start from
   * @throws Refusal `version_archived` when more than `limit` deltas would have to be read for it
   */
  async at(version: number, known?: RoundState, limit = Number.POSITIVE_INFINITY): Promise<RoundState> {
    const { campaign, rounds, store, form } = this.#parts;
    if (known?.version === version) return known;
    const stored = await store.db
      .selectFrom('snapshots')
      .innerJoin('versions', (join) =>
        join
          .onRef('versions.campaign_id', '=', 'snapshots.campaign_id')
          .onRef('versions.version', '=', 'snapshots.version'),
      )
      .select(['snapshots.version', 'snapshots.sha256', 'versions.label_tokens as labelTokens'])
      .where('snapshots.campaign_id', '=', campaign.manifest.id)
      .where('snapshots.version', '<=', version)
      .orderBy('snapshots.version', 'desc')
      .executeTakeFirst();
    const earlier = known && known.version < version ? known : startOfRounds(campaign.manifest, rounds, form);
    const from = Math.max(stored?.version ?? 0, earlier.version);
    const later = await this.#folded(from, version);
    if (later.length > limit) {
      throw new Refusal(
        'version_archived',
        `Version ${version} is not kept ready any more: it lies ${later.length} contributions from one that is. Take a newer one.`,
      );
    }
    let state = earlier;
    if (stored && stored.version > earlier.version) {
      const { labelTokens, sha256 } = stored;
      const found = decodeRoundState(await store.blobs.read(sha256), campaign.manifest.layout.size);
      state = { ...found, version: from, labelTokens };
    }
    const fold = new RoundFold(campaign.manifest, (sha256) => store.blobs.read(sha256));
    while (state.version < version) {
      const members = later.filter((row) => row.folded_version === state.version + 1);
      state = afterRound(state, rounds, await fold.of(members), members);
    }
    return state;
  }

  /** Makes a state durable. */
  async store(state: RoundState): Promise<StoredRound> {
    const { blobs } = this.#parts.store;
    const stateSha256 = await blobs.put(encodeRoundState(state));
    return { version: state.version, stateSha256, valuesSha256: await blobs.put(bytesOf(state.values)) };
  }

  /** Records a stored state, in the transaction of its version: from then on clients may fetch its values. */
  async record(transaction: LedgerDatabase, { version, stateSha256, valuesSha256 }: StoredRound, now: number) {
    const { id, layout } = this.#parts.campaign.manifest;
    const bytes = layout.size * Float32Array.BYTES_PER_ELEMENT;
    const values = { path: valuesPath(version), sha256: valuesSha256, bytes };
    await transaction
      .insertInto('snapshots')
      .values({ campaign_id: id, version, sha256: stateSha256, created_at: now })
      .execute();
    await transaction
      .insertInto('files')
      .values({ campaign_id: id, ...values })
      .execute();
  }

  /** Forgets the states that are more than are kept. */
  async prune(): Promise<void> {
    const { campaign, store } = this.#parts;
    const { db, blobs, snapshots } = store;
    const { id } = campaign.manifest;
    const stored = await db
      .selectFrom('snapshots')
      .select(['version', 'sha256'])
      .where('campaign_id', '=', id)
      .orderBy('version')
      .execute();
    const hashes: string[] = [];
    for (const { version, sha256 } of stored.slice(0, -snapshots.keep)) {
      await db.deleteFrom('snapshots').where('campaign_id', '=', id).where('version', '=', version).execute();
      const dropped = await db
        .deleteFrom('files')
        .where('campaign_id', '=', id)
        .where('path', '=', valuesPath(version))
        .returning('sha256')
        .execute();
      hashes.push(sha256, ...dropped.map((file) => file.sha256));
    }
    for (const sha256 of await unreferencedBlobs(db, hashes)) await blobs.drop(sha256);
  }

  /** The contributions of the rounds after version `from`, up to the one that made `to`. */
  async #folded(from: number, to: number): Promise<(RoundMember & { folded_version: number })[]> {
    const { campaign, store } = this.#parts;
    return store.db
      .selectFrom('contributions')
      .select(['contribution_id', 'client_id', 'sha256', 'label_tokens', 'folded_version'])
      .where('campaign_id', '=', campaign.manifest.id)
      .where('folded_version', '>', from)
      .where('folded_version', '<=', to)
      .$narrowType<{ folded_version: number }>()
      .execute();
  }
}
