/**
 * Intake: from the first byte of an upload to a durable ledger row. The checks, in order: lease, campaign's status,
 * codec and size, signature, layout, weight (at `begin`); offset (at every chunk); lease and status again, size, hash, shape,
 * finite values, norm, duplicate, shard, direction (at `finish`). Then the blob is made durable; the row, the end of its lease and the line of the
 * log are committed in one piece; and only then does `finish` return.
 */
import {
  chanceCosine,
  checkMaySend,
  checkNorm,
  decodeDelta,
  Refusal,
  type ClientRow,
  type Manifest,
  type Receipt,
  type UploadBegin,
} from '@oneround/fl-core';
import { appendVerdict, type NewVerdict } from './append-rows.ts';
import { BlobsGone, hashBytes, unknownUpload, type Blobs } from './blobs.ts';
import { readLife } from './campaign-life.ts';
import { readContribution } from './campaign-view.ts';
import { ChainMoved, moveHead, readHead, rowHash, type ContributionContent } from './chain.ts';
import { asStorageFull, isDuplicateKey } from './database-errors.ts';
import { lockCampaign } from './dialect.ts';
import { leaseSpent, shardName } from './lease-terms.ts';
import { checkAnnouncement, checkUnique } from './intake-checks.ts';
import type { LeaseBook } from './leases.ts';
import type { OpenCampaign, OpenCampaigns } from './open-campaigns.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { Change } from './outcome.ts';
import type { Reports } from './reports.ts';
import { checkRoundIsOpen, readRound } from './rounds.ts';
import { quarantined } from './standing-contributions.ts';

interface IntakeParts {
  db: LedgerDatabase;
  blobs: Blobs;
  leases: LeaseBook;
  now: () => number;
  campaigns: OpenCampaigns;
  reports: Reports;
}

/** A row that has no place yet. */
type NewContribution = Omit<ContributionContent, 'sequence'>;

/** What the client is told, and what observers are: nothing, when they were before. */
export interface Accepted {
  receipt: Receipt & { campaignId: string };
  changes: Change[];
}

export class Intake {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Opens an upload, or resumes it: returns the bytes that are already stored. */
  async begin(message: UploadBegin): Promise<number> {
    const { db, blobs, leases } = this.#parts;
    const accepted = await this.#accepted(message.contributionId);
    if (accepted) {
      if (accepted.sha256 === message.sha256 && accepted.lease_id === message.leaseId) return accepted.bytes;
      throw new Refusal('wrong_hash', 'Other bytes were accepted under this contribution id before.');
    }
    const holder = await leases.holder(message.leaseId);
    const { campaignId } = holder;
    const { definition } = this.#parts.campaigns.get(campaignId);
    await leases.live(message.leaseId);
    checkMaySend((await readLife(db, campaignId)).status);
    checkRoundIsOpen(await readRound(db, definition.manifest), holder.baseVersion);
    await checkAnnouncement(message, definition, holder);
    const earlier = await db
      .selectFrom('uploads')
      .selectAll()
      .where((row) =>
        row.or([row('contribution_id', '=', message.contributionId), row('lease_id', '=', message.leaseId)]),
      )
      .execute();
    const same = earlier.find((upload) => upload.contribution_id === message.contributionId);
    if (same && (same.sha256 !== message.sha256 || same.lease_id !== message.leaseId)) {
      throw new Refusal('wrong_hash', 'An upload of other bytes was begun under this contribution id.');
    }
    if (same) return this.#storedBytes(same);
    await blobs.reserve(message.bytes);
    for (const upload of earlier) await this.#drop(upload.contribution_id);
    await db.transaction().execute(async (transaction) => {
      // Whoever deletes or replaces the campaign, on another server, has done so, with its leases, or finds this upload.
      await lockCampaign(transaction, campaignId);
      checkMaySend((await readLife(transaction, campaignId)).status);
      await leases.live(message.leaseId, transaction);
      await transaction
        .insertInto('uploads')
        .values({
          contribution_id: message.contributionId,
          campaign_id: campaignId,
          lease_id: message.leaseId,
          sha256: message.sha256,
          bytes: message.bytes,
          begin: JSON.stringify(message),
        })
        // Another server may be asked the same at the same time; the next chunk or `begin` sees what became of it.
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    });
    return 0;
  }

  /** Stores a chunk; one that is stored already (sent again after a lost answer) changes nothing. */
  async chunk(contributionId: string, offset: number, data: Uint8Array): Promise<number> {
    const { blobs } = this.#parts;
    const upload = await this.#upload(contributionId);
    const stored = await this.#storedBytes(upload);
    if (offset + data.byteLength <= stored) return stored;
    if (offset !== stored) {
      throw new Refusal('wrong_offset', `The next chunk must start at byte ${stored}, not ${offset}.`);
    }
    if (stored + data.byteLength > upload.bytes) {
      throw new Refusal('too_large', `The upload was announced with ${upload.bytes} bytes; this chunk goes past them.`);
    }
    return blobs.appendPart(contributionId, stored, data);
  }

  /** Accepts the upload into the ledger. Repeating it returns the same receipt. */
  async finish(contributionId: string): Promise<Accepted> {
    const earlier = await this.#receipt(contributionId);
    if (earlier) return earlier;
    try {
      return await this.#accept(contributionId);
    } catch (error) {
      // Whatever stands in its way may be itself: another server was asked to finish it at the same time.
      const meanwhile = error instanceof Refusal ? await this.#receipt(contributionId) : null;
      if (meanwhile) return meanwhile;
      throw error;
    }
  }

  async #receipt(contributionId: string): Promise<Accepted | null> {
    const accepted = await this.#accepted(contributionId);
    if (!accepted) return null;
    const { sequence, campaign_id: campaignId } = accepted;
    const isQuarantined = await quarantined(this.#parts.db)
      .where('contribution_id', '=', contributionId)
      .executeTakeFirst();
    const receipt = { contributionId, sequence, repeated: true, quarantined: isQuarantined !== undefined, campaignId };
    return { receipt, changes: [] };
  }

  async #accept(contributionId: string): Promise<Accepted> {
    const { leases, now } = this.#parts;
    const upload = await this.#upload(contributionId);
    const lease = await leases.live(upload.lease_id);
    checkMaySend((await readLife(this.#parts.db, upload.campaign_id)).status);
    const begin = JSON.parse(upload.begin) as UploadBegin;
    const { definition, adapter } = this.#parts.campaigns.get(upload.campaign_id);
    await this.#orDrop(contributionId, async () =>
      checkRoundIsOpen(await readRound(this.#parts.db, definition.manifest), lease.base_version),
    );
    const stored = await this.#storedBytes(upload);
    if (stored !== upload.bytes) {
      throw new Refusal('wrong_offset', `The upload is not complete: ${stored} of ${upload.bytes} bytes are stored.`);
    }
    const { clientId } = await leases.clientOf(upload.lease_id);
    const { norm, cosine } = await this.#checkBytes(begin, { clientId, definition, adapter });
    const facts: NewContribution = {
      contribution_id: contributionId,
      campaign_id: upload.campaign_id,
      lease_id: upload.lease_id,
      client_id: clientId,
      public_key: lease.public_key,
      signature: begin.signature,
      shard_index: lease.shard_index,
      base_version: lease.base_version,
      sha256: upload.sha256,
      bytes: upload.bytes,
      label_tokens: begin.labelTokens,
      examples: begin.examples,
      steps: begin.steps,
      local_loss: begin.localLoss,
      norm,
      bytes_down: begin.bytesDown,
      training_ms: begin.trainingMs,
      received_at: now(),
    };
    const isQuarantined = cosine !== null && cosine <= chanceCosine(definition.manifest.layout.size);
    const { sequence, changes } = await this.#append(facts, definition.manifest, isQuarantined ? cosine : null);
    const { campaign_id: campaignId } = facts;
    return {
      receipt: { contributionId, sequence, repeated: false, quarantined: isQuarantined, campaignId },
      changes: [
        { type: 'contribution', contribution: await readContribution(this.#parts.db, contributionId) },
        ...changes,
      ],
    };
  }

  /** @returns the delta's L2 norm, and the cosine between it and what is merged; null where that is not asked yet */
  async #checkBytes(
    { contributionId, sha256, labelTokens }: UploadBegin,
    { clientId, definition: { manifest }, adapter }: OpenCampaign & { clientId: string },
  ): Promise<{ norm: number; cosine: number | null }> {
    const { blobs } = this.#parts;
    const isBlob = await blobs.has(sha256);
    const bytes = await (isBlob ? blobs.read(sha256) : blobs.readPart(contributionId));
    return this.#orDrop(contributionId, async () => {
      if (hashBytes(bytes) !== sha256) {
        throw new Refusal(
          'wrong_hash',
          'The bytes that arrived are not the bytes that were announced; send them again.',
        );
      }
      const delta = decodeDelta(bytes, { size: manifest.layout.size, codec: manifest.upload.codec });
      const norm = checkNorm(delta, manifest.upload.maxNorm);
      return { norm, cosine: await adapter.examine(delta, { clientId, labelTokens }) };
    });
  }

  /** A server that died between storing the blob and committing the row still has every byte. */
  async #storedBytes(upload: { contribution_id: string; sha256: string; bytes: number }): Promise<number> {
    const { blobs } = this.#parts;
    return (await blobs.has(upload.sha256)) ? upload.bytes : blobs.partBytes(upload.contribution_id);
  }

  /**
   * Makes the bytes durable, then adds the row at the end of its campaign's chain, and after it the verdict when its
   * direction is `against` the mean; the lease is spent.
   * @returns its sequence, and what observers are told but for the row itself
   */
  async #append(
    facts: NewContribution,
    manifest: Manifest,
    against: number | null,
  ): Promise<{ sequence: number; changes: Change[] }> {
    const { db, blobs, leases, reports } = this.#parts;
    const { campaign_id: campaignId, contribution_id: contributionId } = facts;
    for (;;) {
      const head = await readHead(db, campaignId);
      await this.#orDrop(contributionId, async () => {
        // As of this end of the chain: a round ends no earlier than a row more.
        checkRoundIsOpen(await readRound(db, manifest), facts.base_version);
        await checkUnique(db, facts, manifest);
      });
      await blobs.adoptPart(contributionId, facts.sha256);
      const content = { ...facts, sequence: head.sequence + 1 };
      const hash = await rowHash(head.hash, content, manifest.layout.hash);
      try {
        const changes = await db.transaction().execute(async (transaction) => {
          await moveHead(transaction, campaignId, head, hash);
          // The campaign's row is locked now: whoever closes it has done so, or waits.
          checkMaySend((await readLife(transaction, campaignId)).status);
          await blobs.hold([facts.sha256], transaction);
          await transaction
            .insertInto('contributions')
            .values({ ...content, previous_hash: head.hash, row_hash: hash, folded_version: null })
            .execute();
          if (against !== null) await appendVerdict(transaction, setAside(facts, against));
          const ended = await transaction
            .deleteFrom('uploads')
            .where('contribution_id', '=', contributionId)
            .where('sha256', '=', facts.sha256)
            .executeTakeFirst();
          // Another server has dropped it meanwhile, for another upload under the same lease.
          if (ended.numDeletedRows !== 1n) throw unknownUpload();
          // Of bytes that were a blob before, it is still there.
          await blobs.dropPart(contributionId, transaction);
          const client = await leases.spend(transaction, facts.lease_id, contributionId);
          const entry = await reports.log(campaignId, 'accepted', acceptedLine(content, client, against), transaction);
          return [{ type: 'client', client } satisfies Change, entry];
        });
        return { sequence: content.sequence, changes };
      } catch (error) {
        if (isDuplicateKey(error)) throw leaseSpent();
        if (!(error instanceof ChainMoved || error instanceof BlobsGone)) throw asStorageFull(error);
      }
    }
  }

  /** A refused upload can only be replaced, so its bytes are of no use. */
  async #orDrop<Value>(contributionId: string, check: () => Promise<Value>): Promise<Value> {
    try {
      return await check();
    } catch (error) {
      if (error instanceof Refusal) await this.#drop(contributionId);
      throw error;
    }
  }

  async #upload(contributionId: string) {
    const upload = await this.#parts.db
      .selectFrom('uploads')
      .selectAll()
      .where('contribution_id', '=', contributionId)
      .executeTakeFirst();
    if (!upload) throw unknownUpload();
    return upload;
  }

  async #accepted(contributionId: string) {
    return this.#parts.db
      .selectFrom('contributions')
      .select(['sequence', 'sha256', 'bytes', 'lease_id', 'campaign_id'])
      .where('contribution_id', '=', contributionId)
      .executeTakeFirst();
  }

  async #drop(contributionId: string): Promise<void> {
    const { db, blobs } = this.#parts;
    await db.transaction().execute(async (transaction) => {
      // The row first: whoever makes a blob of the part locks it, here or on another server.
      const upload = transaction.deleteFrom('uploads').where('contribution_id', '=', contributionId);
      const { numDeletedRows } = await upload.executeTakeFirst();
      if (numDeletedRows > 0n) await blobs.dropPart(contributionId, transaction);
    });
  }
}

/** The verdict on a contribution whose direction has nothing in common with what was merged. */
function setAside(facts: NewContribution, cosine: number): NewVerdict {
  return {
    contribution_id: facts.contribution_id,
    campaign_id: facts.campaign_id,
    verdict: 'quarantined',
    reason: 'against-the-mean',
    cosine,
    worst_loss: null,
    version: null,
    decided_at: facts.received_at,
  };
}

function acceptedLine({ sequence }: ContributionContent, client: ClientRow, against: number | null): string {
  const line = `contribution #${sequence} of ${client.clientId} (${shardName(client)}) is in the ledger`;
  return against === null ? line : `${line}, set aside: its direction is not that of the others`;
}
