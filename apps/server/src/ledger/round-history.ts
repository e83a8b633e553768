/**
 * What a campaign of many rounds keeps of its versions. Of each its values, for good: clients train from them, and what was
 * trained is scored from them, however late. Of the last few also the optimiser's state, with which the next round begins.
 */
import { Refusal, type RoundSettings } from '@oneround/fl-core';
import type { CampaignDefinition } from '../campaign/index.ts';
import type { AdapterForm } from './adapter-form.ts';
import type { LedgerDatabase } from './open-database.ts';
import { recordedBlobs } from './recorded-blobs.ts';
import {
  bytesOf,
  decodeRoundState,
  encodeRoundState,
  floatsOf,
  type RoundState,
  startOfRounds,
} from './round-steps.ts';
import { archivedVersions, valuesFile, valuesPath } from './rounds.ts';
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
  readonly #readBlob: (sha256: string) => Promise<Uint8Array>;

  constructor(parts: RoundHistoryParts) {
    this.#parts = parts;
    this.#readBlob = recordedBlobs(parts.store, parts.campaign.manifest.id);
  }

  /** What the first round begins with. */
  start(): RoundState {
    const { campaign, rounds, form } = this.#parts;
    return startOfRounds(campaign.manifest, rounds, form);
  }

  /** The state after the newest version; `known` when it is that. */
  async newest(known?: RoundState): Promise<RoundState> {
    const { campaign, store } = this.#parts;
    const { id, layout } = campaign.manifest;
    const { version, label_tokens, sum_sha256 } = await store.db
      .selectFrom('versions')
      .select(['version', 'label_tokens', 'sum_sha256'])
      .where('campaign_id', '=', id)
      .orderBy('version', 'desc')
      .executeTakeFirstOrThrow();
    if (known?.version === version) return known;
    if (version === 0) return this.start();
    const stored = decodeRoundState(await this.#readBlob(sum_sha256), layout.size);
    return { ...stored, version, labelTokens: label_tokens };
  }

  /** The values of a version that is there: one file to read. @throws Refusal `version_archived` when they are not kept */
  async values(version: number): Promise<Float32Array> {
    const { campaign, store } = this.#parts;
    if ((await archivedVersions(store.db, campaign.manifest)).has(version)) {
      throw new Refusal(
        'version_archived',
        `The values of version ${version} are not kept: an earlier release of this server dropped them. Take a newer one.`,
      );
    }
    const file = await valuesFile(store.db, campaign.manifest, version);
    return file ? floatsOf(await this.#readBlob(file.sha256)) : this.start().values;
  }

  /** Makes a state durable. */
  async store(state: RoundState): Promise<StoredRound> {
    const { blobs } = this.#parts.store;
    const stateSha256 = await blobs.put(encodeRoundState(state));
    return { version: state.version, stateSha256, valuesSha256: await blobs.put(bytesOf(state.values)) };
  }

  /**
   * Records a stored state, in the transaction of its version: from then on clients may fetch its values.
   * @throws BlobsGone when another server has dropped some of it since
   */
  async record(transaction: LedgerDatabase, { version, stateSha256, valuesSha256 }: StoredRound, now: number) {
    const { campaign, store } = this.#parts;
    const { id, layout } = campaign.manifest;
    await store.blobs.hold([stateSha256, valuesSha256], transaction);
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

  /** Forgets the optimiser's states that are more than are kept. */
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
    const old = stored.slice(0, -snapshots.keep);
    for (const { version } of old) {
      await db.deleteFrom('snapshots').where('campaign_id', '=', id).where('version', '=', version).execute();
    }
    const hashes = old.map(({ sha256 }) => sha256);
    await blobs.dropUnnamed(hashes, db);
  }
}
