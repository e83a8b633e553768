/**
 * The ledger: everything durable behind one object that lives in one thread, so its calls never interleave. The main
 * process reaches it through `threads/thread.ts`.
 */
import { dirname } from 'node:path';
import {
  clientIdOf,
  modelFiles,
  PROTOCOL_VERSION,
  Refusal,
  type CampaignState,
  type CampaignStatus,
  type ClientRow,
  type Contribution,
  type EvaluationResult,
  type JoinRequest,
  type Lease,
  type Manifest,
  type MergeOutcome,
  type Progress,
  type Receipt,
  type RefusalMessage,
  type TermsChange,
  type UploadBegin,
  type Version,
} from '@oneround/fl-core';
import type { PeftFiles } from '@oneround/lora/adapter';
import type { CampaignDefinition, DataSetReport, LoadedCampaign } from '../campaign/index.ts';
import type { ModelChange, UpdateToExport } from './adapter-form.ts';
import { BlobsGone, type Blobs } from './blobs.ts';
import { readLife, readLives, unknownVersion } from './campaign-life.ts';
import { CampaignCourse, type Advanced } from './campaign-course.ts';
import { CampaignFiles, type ServedFile } from './campaign-files.ts';
import { CampaignNews, type ToldCampaigns } from './campaign-news.ts';
import { readTerms, type TermsInForce } from './campaign-terms.ts';
import {
  readContribution,
  readFolded,
  readLog,
  readNewest,
  readPage,
  readVersion,
  readVersions,
  unfoldedCampaigns,
} from './campaign-view.ts';
import { isPostgres } from './dialect.ts';
import { FileBlobs, type FileBlobsOptions } from './file-blobs.ts';
import type { FirstVersion } from './first-version.ts';
import { FoldLease, LeaseTaken, nullWhenTaken } from './fold-lease.ts';
import { Intake } from './intake.ts';
import { createInvite, listInvites, revokeInvite, type Invite, type InviteLimits } from './invites.ts';
import { shardName } from './lease-terms.ts';
import { LeaseBook } from './leases.ts';
import { dropCopies, requireLedgerOf, dropUnnamedRows, setLeftoversAside } from './leftovers.ts';
import { readMergeOutcome } from './merge-outcome.ts';
import { OpenCampaigns, type OpenedCampaigns } from './open-campaigns.ts';
import { openDatabase, type LedgerDatabase } from './open-database.ts';
import type { Change, LedgerCounts, Outcome } from './outcome.ts';
import { PostgresBlobs } from './postgres-blobs.ts';
import { Reports } from './reports.ts';
import { Screening } from './screening.ts';
import { Scoring, type EvaluationSubject } from './scoring.ts';
import { findSetting } from './settings.ts';
import { defaultSnapshots, type SnapshotPolicy } from './version-sums.ts';

/** A campaign in a list. */
export interface CampaignEntry {
  id: string;
  name: string;
  description: string;
  status: CampaignStatus;
  private: boolean;
}

/** What a server learns of the ledger, which it may share. */
export interface News extends ToldCampaigns {
  /** Whether this server folds, evaluates and ends leases. */
  leads: boolean;
  /** Campaigns with something to fold, if it does. */
  unfolded: string[];
}

export interface LedgerOptions {
  dataDir: string;
  /** The Postgres that holds the ledger and its blobs; `dataDir` then holds copies of files, and nothing else. */
  databaseUrl?: string | undefined;
  /** How long the server that folds may be silent before another does, in milliseconds; 3000 unless told. */
  foldLeaseMs?: number | undefined;
  blobs?: FileBlobsOptions;
  /** What of `defaultSnapshots` is otherwise. */
  snapshots?: Partial<SnapshotPolicy>;
  /** Epoch milliseconds. */
  now?: () => number;
}

/** As leader, before giving up: nobody takes the lease, or a snapshot, that often by accident. */
const MOST_ATTEMPTS = 20;

/** What a ledger is made of. */
interface LedgerParts {
  db: LedgerDatabase;
  blobs: Blobs;
  /** The blobs in the data directory: all of them, or copies of those in Postgres. */
  files: FileBlobs;
  snapshots: SnapshotPolicy;
  now: () => number;
  foldLease: FoldLease;
}

/** A version, and what tells its folder from all others where that is made of an update. */
export interface Exportable {
  version: number;
  isNewest: boolean;
  update: string | null;
}

export class Ledger {
  readonly #db: LedgerDatabase;
  readonly #blobs: Blobs;
  readonly #files: FileBlobs;
  readonly #now: () => number;
  readonly #foldLease: FoldLease;
  readonly #leases: LeaseBook;
  readonly #campaigns: OpenCampaigns;
  readonly #reports: Reports;
  readonly #intake: Intake;
  readonly #screening: Screening;
  readonly #scoring: Scoring;
  readonly #course: CampaignCourse;
  readonly #served: CampaignFiles;
  readonly #news = new CampaignNews();

  private constructor({ db, blobs, files, snapshots, now, foldLease }: LedgerParts) {
    this.#db = db;
    this.#blobs = blobs;
    this.#files = files;
    this.#now = now;
    this.#foldLease = foldLease;
    const leases = new LeaseBook(db, now);
    const onGone = (campaignId: string) => {
      leases.forget(campaignId);
      this.#screening.forget(campaignId);
      this.#news.noteGone(campaignId);
    };
    const campaigns = new OpenCampaigns({ store: { db, blobs, foldLease, snapshots }, now, onGone });
    const reports = new Reports({ db, campaigns, now });
    const screening = new Screening({ db, blobs, campaigns, now });
    this.#leases = leases;
    this.#campaigns = campaigns;
    this.#reports = reports;
    this.#screening = screening;
    this.#intake = new Intake({ db, blobs, leases, now, campaigns, reports });
    this.#scoring = new Scoring({ db, blobs, campaigns, reports, screening });
    this.#course = new CampaignCourse({ db, campaigns, screening, reports, foldLease, now });
    this.#served = new CampaignFiles({ db, blobs, campaigns, reports, news: this.#news });
  }

  /**
   * Opens a ledger with every campaign it holds, and takes part in deciding who folds.
   * @throws LedgerFault when no campaign can go on from what is there
   */
  static async open({ dataDir, now = Date.now, ...options }: LedgerOptions): Promise<Ledger> {
    const files = new FileBlobs(dataDir, options.databaseUrl === undefined ? options.blobs : {});
    if (options.databaseUrl === undefined) requireLedgerOf(files, dataDir);
    const db = await openDatabase(dataDir, options.databaseUrl);
    const blobs = isPostgres(db) ? new PostgresBlobs(db, files, options.blobs?.maxBytes) : files;
    await setLeftoversAside(db, files, now());
    if (isPostgres(db)) await dropUnnamedRows(db, blobs);
    const ledger = new Ledger({
      db,
      blobs,
      files,
      snapshots: { ...defaultSnapshots, ...options.snapshots },
      now,
      foldLease: await FoldLease.open(db, now, options.foldLeaseMs),
    });
    try {
      const { opened, failures } = await ledger.#campaigns.openNew();
      // One that cannot be opened keeps nobody from the others.
      if (failures[0] && opened.length === 0) throw failures[0].error;
      ledger.#news.note({ opened: [], failures });
    } catch (error) {
      await ledger.close();
      throw error;
    }
    return ledger;
  }

  /**
   * Tells what is new, here and with other servers: opens the campaigns that they have added, and forgets those that they
   * have deleted, with their files in this server's directory. On SQLite there are no others, and this server leads.
   */
  async catchUp(): Promise<News> {
    const leads = this.#foldLease.isHeld;
    if (!isPostgres(this.#db)) return { leads, unfolded: [], ...this.#news.take() };
    const news: OpenedCampaigns = { opened: [], failures: [] };
    // What was opened before the database went away is open, and in no later news.
    await this.#campaigns.openNew(news).finally(() => this.#news.note(news));
    if (this.#news.hasGone) await dropCopies(this.#db, this.#files);
    const unfolded = leads ? await unfoldedCampaigns(this.#db) : [];
    return { leads, unfolded, ...this.#news.take() };
  }

  /** As `CampaignFiles.add`. */
  addCampaign(path: string): Promise<ServedFile & { dataSets: DataSetReport[] }> {
    return this.#served.add(path);
  }

  /** As `CampaignFiles.serve`. */
  async serveCampaign(loaded: LoadedCampaign, first?: FirstVersion | null): Promise<Outcome<ServedFile> | null> {
    // It was another thread that stored the blobs.
    this.#files.recount();
    return this.#served.serve(loaded, first);
  }

  /** Drops what was stored for a campaign file that came to nothing, unless something else names it. */
  dropUnserved(hashes: readonly string[]): Promise<void> {
    this.#files.recount();
    return this.#blobs.dropUnnamed(hashes, this.#db);
  }

  /** Whether a campaign of this `definitionHash` is served under this id. */
  serves(campaignId: string, hash: string): boolean {
    return this.#campaigns.isOpenAs(campaignId, hash);
  }

  /** Who may take part in a campaign, and until when. @throws Refusal `unknown_campaign` */
  terms(campaignId: string): Promise<TermsInForce> {
    return readTerms(this.#db, campaignId);
  }

  /** As `CampaignFiles.changeTerms`. */
  changeTerms(campaignId: string, change: TermsChange): Promise<Outcome<TermsInForce>> {
    return this.#served.changeTerms(campaignId, change);
  }

  /** As `CampaignCourse.move`. */
  move(campaignId: string, action: 'open' | 'pause' | 'close'): Promise<Outcome<CampaignStatus>> {
    return this.#course.move(campaignId, action);
  }

  /** As `CampaignCourse.advance`. */
  advance(): Promise<Advanced[]> {
    return this.#course.advance();
  }

  /** The manifests of all campaigns served. */
  manifests(): Manifest[] {
    return this.#campaigns.manifests();
  }

  /** All campaigns, also those that are in no public list. */
  async campaigns(): Promise<CampaignEntry[]> {
    const lives = await readLives(this.#db);
    return this.#campaigns.manifests().flatMap(({ id, name, description }) => {
      const life = lives.get(id);
      // Without one, another server has deleted it.
      return life ? [{ id, name, description, status: life.status, private: life.terms.private }] : [];
    });
  }

  /** Deletes a campaign with everything that belongs to it alone. @throws Refusal `unknown_campaign` */
  async deleteCampaign(campaignId: string): Promise<void> {
    await this.#campaigns.delete(campaignId);
  }

  /** The SHA-256 of the token that opens the admin API; null while there is none. */
  async adminTokenHash(): Promise<string | null> {
    return findSetting(this.#db, 'admin_token_sha256');
  }

  /** @throws Refusal `unknown_campaign` */
  async createInvite(campaignId: string, limits: InviteLimits): Promise<{ id: string; token: string }> {
    this.#campaigns.get(campaignId);
    return createInvite(this.#db, campaignId, limits, this.#now());
  }

  /** @throws Refusal `unknown_campaign` */
  async listInvites(campaignId: string): Promise<Invite[]> {
    this.#campaigns.get(campaignId);
    return listInvites(this.#db, campaignId);
  }

  /** @throws Refusal `unknown_campaign`, `unknown_invite` */
  async revokeInvite(campaignId: string, id: string): Promise<void> {
    this.#campaigns.get(campaignId);
    await revokeInvite(this.#db, campaignId, id);
  }

  /** @throws Refusal `unknown_campaign` unless the ledger has it, and this server has it open */
  async checkCampaign(campaignId: string): Promise<void> {
    this.#campaigns.get(campaignId);
    await readLife(this.#db, campaignId);
  }

  /** The whole definition, for the evaluation thread. @throws Refusal `unknown_campaign` */
  definition(campaignId: string): CampaignDefinition {
    return this.#campaigns.get(campaignId).definition;
  }

  /** The folder with the files that evaluation reads, all of them on this machine. @throws Refusal `unknown_campaign` */
  async evaluationFolder(campaignId: string): Promise<string> {
    const { manifest, heldOutSha256 } = this.#campaigns.get(campaignId).definition;
    const hashes = [...modelFiles(manifest).map(({ sha256 }) => sha256), heldOutSha256];
    const paths: string[] = [];
    for (const sha256 of hashes) paths.push(await this.#blobs.file(sha256));
    return dirname(paths[0]!);
  }

  /** Where a file that may be served lies, or null. */
  async servedFile(sha256: string): Promise<{ path: string; name: string; bytes: number } | null> {
    const file = await this.#db.selectFrom('files').selectAll().where('sha256', '=', sha256).executeTakeFirst();
    return file ? { path: await this.#blobs.file(sha256), name: file.path, bytes: file.bytes } : null;
  }

  /**
   * @param address the network address the request comes from
   * @throws Refusal `protocol_version`, and those of `LeaseBook.join`
   */
  async join(request: JoinRequest, address?: string): Promise<Outcome<Lease>> {
    const { definition, hash } = this.#campaigns.get(request.campaignId);
    if (request.protocol !== PROTOCOL_VERSION) {
      throw new Refusal(
        'protocol_version',
        `This server speaks protocol ${PROTOCOL_VERSION}, the page ${request.protocol}; reload the page.`,
      );
    }
    const clientId = await clientIdOf(request.publicKey);
    const { lease, client } = await this.#leases.join(request, { clientId, address }, { definition, hash });
    const entry = await this.#reports.log(
      request.campaignId,
      lease.resumed ? 'resumed' : 'joined',
      `${clientId} ${lease.resumed ? 'is back with' : 'has'} ${shardName(client)}, on ${request.device.backend}`,
    );
    return { value: lease, changes: [{ type: 'client', client }, entry] };
  }

  /** Extends a lease and returns its new deadline (epoch ms). @throws Refusal as `LeaseBook.heartbeat` */
  async heartbeat(leaseId: string): Promise<number> {
    return this.#leases.heartbeat(leaseId, await this.#leaseTtl(leaseId));
  }

  /** Notes what a client is doing, extends its lease, and returns it as observers see it. Throws as `heartbeat`. */
  async progress(progress: Progress): Promise<ClientRow> {
    return this.#leases.progress(progress, await this.#leaseTtl(progress.leaseId));
  }

  async leave(leaseId: string): Promise<Outcome<null>> {
    const { campaignId } = await this.#leases.holder(leaseId);
    const client = await this.#leases.leave(leaseId);
    if (!client) return { value: null, changes: [] };
    const entry = await this.#reports.log(campaignId, 'left', `${client.clientId} gave ${shardName(client)} back`);
    return { value: null, changes: [{ type: 'client', client }, entry] };
  }

  /** Ends leases whose deadline has passed; one outcome per client that vanished. */
  async sweep(): Promise<{ campaignId: string; leaseId: string; outcome: Outcome<null> }[]> {
    const outcomes: { campaignId: string; leaseId: string; outcome: Outcome<null> }[] = [];
    for (const { campaignId, client } of await this.#leases.sweep()) {
      const message = `${client.clientId} has not been heard of; ${shardName(client)} is free again`;
      const entry = await this.#reports.log(campaignId, 'expired', message);
      outcomes.push({
        campaignId,
        leaseId: client.leaseId,
        outcome: { value: null, changes: [{ type: 'client', client }, entry] },
      });
    }
    return outcomes;
  }

  /** Opens or resumes an upload: bytes stored so far. @throws Refusal of intake's first checks */
  beginUpload(message: UploadBegin): Promise<number> {
    return this.#intake.begin(message);
  }

  /** @throws Refusal `unknown_upload`, `wrong_offset`, `too_large`, `storage_full` */
  uploadChunk(contributionId: string, offset: number, data: Uint8Array): Promise<number> {
    return this.#intake.chunk(contributionId, offset, data);
  }

  /** When this returns, the contribution is durable. @throws Refusal of intake's last checks */
  async finishUpload(contributionId: string): Promise<Outcome<Receipt & { campaignId: string }>> {
    const { receipt, changes } = await this.#intake.finish(contributionId);
    return { value: receipt, changes };
  }

  /** Records why an upload was refused, on the client's row and in the log. @throws Refusal `unknown_lease` */
  async refused(leaseId: string, refusal: RefusalMessage): Promise<Outcome<null>> {
    const { campaignId } = await this.#leases.holder(leaseId);
    const client = await this.#leases.noteRefusal(leaseId, refusal);
    const entry = await this.#reports.log(campaignId, 'refused', `upload of ${client.clientId}: ${refusal.message}`);
    return { value: null, changes: [{ type: 'client', client }, entry] };
  }

  /**
   * Folds what is in the ledger and in no version, into one new version: null when there is nothing, or another leads. In a
   * campaign of many rounds this ends a round, and the leases of whoever was still training in it.
   */
  async fold(campaignId: string): Promise<Outcome<number> | null> {
    // It may have been deleted since somebody asked.
    if (!this.#foldLease.isHeld || !this.#campaigns.has(campaignId)) return null;
    const { adapter, definition } = this.#campaigns.get(campaignId);
    const { rounds } = definition.manifest;
    const version = await adapter.foldPending(this.#now()).catch(nullWhenTaken);
    if (!version) return null;
    const folded = await readFolded(this.#db, campaignId, version.version);
    const ended = rounds ? `round ${version.version} of ${rounds.count} is over: ` : '';
    const what = `${ended}version ${version.version} adds ${folded.length} contribution${folded.length === 1 ? '' : 's'}`;
    const entry = await this.#reports.log(campaignId, 'merged', what);
    const contributions = folded.map((contribution): Change => ({ type: 'contribution', contribution }));
    const late = rounds ? await this.#leases.endBefore(campaignId, version.version) : [];
    const gone = late.map((client): Change => ({ type: 'client', client }));
    return { value: version.version, changes: [{ type: 'version', version }, ...contributions, ...gone, entry] };
  }

  /**
   * Takes a contribution out of the global adapter: the newest version without it is published in the same transaction.
   * @returns that version's number, or null when no version held the contribution
   * @throws Refusal `unknown_contribution`, `already_withdrawn`, `trained_upon`
   */
  async withdraw(contributionId: string): Promise<Outcome<{ campaignId: string; version: number | null }>> {
    const row = await this.#db
      .selectFrom('contributions')
      .select(['campaign_id', 'sequence'])
      .where('contribution_id', '=', contributionId)
      .executeTakeFirst();
    if (!row) throw new Refusal('unknown_contribution', `This ledger has no contribution ${contributionId}.`);
    const { campaign_id: campaignId, sequence } = row;
    const { adapter } = this.#campaigns.get(campaignId);
    const version = await this.#asLeader(() => adapter.withdraw(contributionId, this.#now()));
    const without = version ? `version ${version.version} is without it` : 'no version held it';
    const entry = await this.#reports.log(
      campaignId,
      'withdrawn',
      `contribution #${sequence} was withdrawn; ${without}`,
    );
    const contribution = await readContribution(this.#db, contributionId);
    const changes: Change[] = [{ type: 'contribution', contribution }, entry];
    if (version) changes.unshift({ type: 'version', version });
    return { value: { campaignId, version: version?.version ?? null }, changes };
  }

  /** Does here and now what only the leader may, also when another server takes the lease in that moment. */
  async #asLeader<Value>(act: () => Promise<Value>): Promise<Value> {
    for (let attempt = 1; ; attempt++) {
      if (!this.#foldLease.isHeld) await this.#foldLease.take();
      try {
        return await act();
      } catch (error) {
        const isOfAMoment = error instanceof LeaseTaken || error instanceof BlobsGone;
        if (!isOfAMoment || attempt === MOST_ATTEMPTS) throw error;
      }
    }
  }

  /** What became of a contribution. @throws Refusal `unknown_campaign`, `unknown_contribution` */
  async mergeOutcome(campaignId: string, contributionId: string): Promise<MergeOutcome> {
    const { manifest } = this.#campaigns.get(campaignId).definition;
    const outcome = await readMergeOutcome(this.#db, manifest, contributionId);
    if (outcome) return outcome;
    throw new Refusal('unknown_contribution', `The campaign "${campaignId}" has no contribution ${contributionId}.`);
  }

  /** The first `STATE_ROWS` contributions whose sequence is larger than `after`. @throws Refusal `unknown_campaign` */
  async contributions(campaignId: string, after = 0): Promise<Contribution[]> {
    this.#campaigns.get(campaignId);
    return readPage(this.#db, campaignId, after);
  }

  /** As `Scoring.unevaluated`. */
  unevaluated(campaignId: string): Promise<EvaluationSubject[]> {
    return this.#scoring.unevaluated(campaignId);
  }

  /** As `Scoring.change`. */
  subjectChange(campaignId: string, subject: EvaluationSubject): Promise<ModelChange> {
    return this.#scoring.change(campaignId, subject);
  }

  /** As `Scoring.record`. */
  recordEvaluation(
    campaignId: string,
    subject: EvaluationSubject,
    result: EvaluationResult,
    scoredAs?: string,
  ): Promise<Outcome<null> | null> {
    return this.#scoring.record(campaignId, subject, result, scoredAs);
  }

  /** A version; the newest unless told. @throws Refusal `unknown_campaign`, `unknown_version` */
  async version(campaignId: string, version?: number): Promise<Version> {
    const newest = await this.#campaigns.get(campaignId).adapter.newestVersion();
    if (version !== undefined && version > newest) throw unknownVersion(campaignId, version);
    return readVersion(this.#db, campaignId, version ?? newest);
  }

  /**
   * Which version an export is of, the newest unless told; of an update also what tells its folder from all others.
   * @throws Refusal `unknown_campaign`, `unknown_version`
   */
  async exportable(campaignId: string, wanted?: number): Promise<Exportable> {
    const { hash, adapter } = this.#campaigns.get(campaignId);
    const { version, sha256, exportSha256 } = await this.version(campaignId, wanted);
    const isNewest = version === (await adapter.newestVersion());
    return { version, isNewest, update: exportSha256 === null ? `${hash} ${sha256}` : null };
  }

  /** As `CampaignAdapter.exportVersion`. */
  async exportVersion(campaignId: string, version: number): Promise<PeftFiles | UpdateToExport> {
    return this.#campaigns.get(campaignId).adapter.exportVersion(version);
  }

  /** How many leases are alive, and how many uploads they have under way. */
  async figures(): Promise<{ leases: number; uploads: number }> {
    return this.#leases.figures();
  }

  /** As `Reports.counts`. */
  counts(campaignId: string): Promise<LedgerCounts> {
    return this.#reports.counts(campaignId);
  }

  /** What observers see, but for who is connected: that the ledger does not know. @throws Refusal `unknown_campaign` */
  async state(campaignId: string): Promise<Omit<CampaignState, 'online'>> {
    const { manifest } = this.#campaigns.get(campaignId).definition;
    return {
      campaignId,
      name: manifest.name,
      ...(await this.#reports.counts(campaignId)),
      clients: await this.#leases.clients(campaignId),
      contributions: await readNewest(this.#db, campaignId),
      versions: await readVersions(this.#db, campaignId),
      log: await readLog(this.#db, campaignId),
      serverTime: this.#now(),
    };
  }

  /** The state as JSON in UTF-8, written in this thread so that the main one need not; `online`: who is connected. */
  async stateJson(campaignId: string, online: number): Promise<Uint8Array> {
    const state: CampaignState = { ...(await this.state(campaignId)), online };
    return Buffer.from(JSON.stringify(state));
  }

  /** Lets another server lead, and forgets the database; nothing works afterwards. */
  async close(): Promise<void> {
    await this.#foldLease.close();
    await this.#db.destroy();
  }

  async #leaseTtl(leaseId: string): Promise<number> {
    const { campaignId } = await this.#leases.holder(leaseId);
    return this.#campaigns.get(campaignId).definition.manifest.lease.ttlMs;
  }
}
