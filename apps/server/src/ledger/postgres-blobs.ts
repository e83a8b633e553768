/**
 * Blobs as rows of a Postgres that several servers share: the chunks in which an upload came are the blob that it becomes,
 * so any server can go on with it.
 *
 *   chunks(upload, start, data)       what was stored, in order, without a gap
 *   blobs(sha256, upload, bytes)      which chunks, together, have this hash
 *
 * Chunks of an upload are committed without waiting for the disk. The commit that makes them a blob waits, and Postgres'
 * log is written in order, so that they are on the disk before it. If Postgres dies in between, the newest of them are
 * gone, and the client that sends the next one hears from where to go on.
 */
import { sql, type Transaction } from 'kysely';
import { unnamedBlobs } from './blob-references.ts';
import { BlobFault, BlobsGone, checkedBytes, hashBytes, storageFull, unknownUpload, type Blobs } from './blobs.ts';
import { asStorageFull } from './database-errors.ts';
import type { FileBlobs } from './file-blobs.ts';
import { inParts } from './in-parts.ts';
import type { LedgerDatabase } from './open-database.ts';
import type { LedgerTables } from './schema.ts';

/** Larger blobs are stored in pieces of this size. */
const PIECE_BYTES = 1 << 20;
/** Blobs dropped in one transaction: whoever wants to name one of them waits that long. */
const DROPPED_AT_ONCE = 500;

export class PostgresBlobs implements Blobs {
  readonly #db: LedgerDatabase;
  readonly #cache: FileBlobs;
  readonly #maxBytes: number;

  /** `cache` holds copies, for whoever needs a file; it may be emptied at any time between two runs. */
  constructor(db: LedgerDatabase, cache: FileBlobs, maxBytes = Number.POSITIVE_INFINITY) {
    this.#db = db;
    this.#cache = cache;
    this.#maxBytes = maxBytes;
  }

  async reserve(bytes: number): Promise<void> {
    if (this.#maxBytes === Number.POSITIVE_INFINITY) return;
    const room = this.#maxBytes - bytes;
    // The file of a table is known at once, but keeps the room of what was deleted, for what comes next.
    const file = await sql<{ bytes: number }>`select pg_total_relation_size('chunks') as bytes`.execute(this.#db);
    if (file.rows[0]!.bytes > room && (await this.#usedBytes()) > room) throw storageFull();
  }

  async has(sha256: string): Promise<boolean> {
    const blob = await this.#db.selectFrom('blobs').select('bytes').where('sha256', '=', sha256).executeTakeFirst();
    return blob !== undefined;
  }

  async read(sha256: string): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of blobPieces(this.#db, sha256)) pieces.push(piece);
    return checkedBytes(nameOfRow(sha256), sha256, Buffer.concat(pieces));
  }

  async file(sha256: string): Promise<string> {
    if (!(await this.#cache.has(sha256))) await this.#cache.put(await this.read(sha256));
    return this.#cache.file(sha256);
  }

  async put(bytes: Uint8Array): Promise<string> {
    const sha256 = hashBytes(bytes);
    if (await this.has(sha256)) return sha256;
    await this.#durably(async (transaction) => {
      // First its name: whoever stores or drops the same bytes at this moment has done so then.
      if (!(await nameBlob(transaction, { sha256, upload: sha256, bytes: bytes.byteLength }))) return;
      for (let start = 0; start < bytes.byteLength; start += PIECE_BYTES) {
        const data = Buffer.from(bytes.subarray(start, start + PIECE_BYTES));
        await transaction.insertInto('chunks').values({ upload: sha256, start, data }).execute();
      }
    });
    return sha256;
  }

  async hold(hashes: readonly string[], transaction: LedgerDatabase): Promise<void> {
    const held = await rowsOf(transaction, hashes).forKeyShare().execute();
    const there = new Set(held.map(({ sha256 }) => sha256));
    const gone = hashes.filter((sha256) => !there.has(sha256));
    if (gone.length > 0) throw new BlobsGone(gone);
  }

  async dropUnnamed(hashes: readonly string[]): Promise<void> {
    for (const some of inParts(hashes, DROPPED_AT_ONCE)) {
      for (const sha256 of await this.#dropUnnamed(some)) this.#cache.drop(sha256);
    }
  }

  /** @returns what was dropped, or was not there */
  async #dropUnnamed(hashes: readonly string[]): Promise<string[]> {
    return this.#durably(async (transaction) => {
      // Whoever holds one has named it, or given up, once this returns; whoever wants to waits, and finds it gone. Locked in
      // the order of their hashes, so that nobody waits in a ring.
      await rowsOf(transaction, hashes).forUpdate().execute();
      // Another statement than the one that waited: it sees what was committed meanwhile.
      const unnamed = await unnamedBlobs(transaction, hashes);
      if (unnamed.length === 0) return unnamed;
      const dropped = await transaction
        .deleteFrom('blobs')
        .where('sha256', 'in', unnamed)
        .returning('upload')
        .execute();
      await dropChunks(
        transaction,
        dropped.map(({ upload }) => upload),
      );
      return unnamed;
    });
  }

  async partBytes(contributionId: string): Promise<number> {
    const last = await this.#db
      .selectFrom('chunks')
      .select(sql<number>`start + octet_length(data)`.as('end'))
      .where('upload', '=', contributionId)
      .orderBy('start', 'desc')
      .limit(1)
      .executeTakeFirst();
    return last?.end ?? 0;
  }

  async appendPart(contributionId: string, offset: number, data: Uint8Array): Promise<number> {
    await this.reserve(data.byteLength);
    let stored: bigint | undefined;
    try {
      // One statement is one transaction: the setting holds for this commit alone. A chunk that another server has stored
      // meanwhile, from a connection that its client gave up, stays. Whoever drops the upload, on another server, has locked
      // its row: it has done so, and there is nothing to add to, or drops this chunk too.
      const result = await sql`with upload as (
          select contribution_id from uploads where contribution_id = ${contributionId} for key share
        ), setting as (select set_config('synchronous_commit', 'off', true))
        insert into chunks (upload, start, data)
        select upload.contribution_id, ${offset}::bigint, ${Buffer.from(data)}::bytea from upload, setting
        on conflict do nothing`.execute(this.#db);
      stored = result.numAffectedRows;
    } catch (error) {
      throw asStorageFull(error);
    }
    return stored === 1n ? offset + data.byteLength : this.partBytes(contributionId);
  }

  async readPart(contributionId: string): Promise<Uint8Array> {
    const bytes = await readChunks(this.#db, contributionId);
    if (bytes.byteLength === 0) throw unknownUpload();
    return bytes;
  }

  async adoptPart(contributionId: string, sha256: string): Promise<void> {
    if (await this.has(sha256)) return;
    await this.#durably(async (transaction) => {
      // Whoever drops the upload, on another server, locks its row too: it has done so, or finds a blob.
      const upload = await transaction
        .selectFrom('uploads')
        .select('contribution_id')
        .where('contribution_id', '=', contributionId)
        .forUpdate()
        .executeTakeFirst();
      const bytes = upload ? await readChunks(transaction, contributionId) : new Uint8Array();
      // It may have been dropped and begun again since the caller looked.
      if (hashBytes(bytes) !== sha256) throw unknownUpload();
      await nameBlob(transaction, { sha256, upload: contributionId, bytes: bytes.byteLength });
    });
  }

  async dropPart(contributionId: string, transaction = this.#db): Promise<void> {
    await dropChunks(transaction, [contributionId]);
  }

  /** Bytes of all blobs and uploads. */
  async #usedBytes(): Promise<number> {
    const used = await sql<{ bytes: number }>`select cast(
        (select coalesce(sum(bytes), 0) from blobs) +
        (select coalesce(sum(octet_length(data)), 0) from chunks where upload in (select contribution_id from uploads))
      as bigint) as bytes`.execute(this.#db);
    return used.rows[0]!.bytes;
  }

  async #durably<Result>(work: (transaction: Transaction<LedgerTables>) => Promise<Result>): Promise<Result> {
    try {
      return await this.#db.transaction().setIsolationLevel('read committed').execute(work);
    } catch (error) {
      throw asStorageFull(error);
    }
  }
}

/** What a person calls a blob that lies in rows. */
export function nameOfRow(sha256: string): string {
  return `the blob ${sha256}`;
}

/** The bytes of a blob in the order and the pieces in which they came. @throws BlobFault when some of them are missing */
export async function* blobPieces(db: LedgerDatabase, sha256: string): AsyncGenerator<Uint8Array> {
  const blob = await db.selectFrom('blobs').selectAll().where('sha256', '=', sha256).executeTakeFirst();
  if (!blob) throw new BlobFault(`${nameOfRow(sha256)} is missing`);
  for (let start = 0; start < blob.bytes;) {
    const chunk = await db
      .selectFrom('chunks')
      .select('data')
      .where('upload', '=', blob.upload)
      .where('start', '=', start)
      .executeTakeFirst();
    if (!chunk?.data.byteLength) throw new BlobFault(`${nameOfRow(sha256)} ends at byte ${start} of ${blob.bytes}`);
    yield chunk.data;
    start += chunk.data.byteLength;
  }
}

/** The rows of these blobs that are there, to be locked in one order by everybody. */
function rowsOf(transaction: LedgerDatabase, hashes: readonly string[]) {
  return transaction.selectFrom('blobs').select('sha256').where('sha256', 'in', hashes).orderBy('sha256');
}

/** @returns false when the same bytes, which came at the same time, are a blob already; it stays as it is */
async function nameBlob(transaction: Transaction<LedgerTables>, blob: LedgerTables['blobs']): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await transaction
    .insertInto('blobs')
    .values(blob)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

async function readChunks(db: LedgerDatabase, upload: string): Promise<Uint8Array> {
  const chunks = await db.selectFrom('chunks').select('data').where('upload', '=', upload).orderBy('start').execute();
  return Buffer.concat(chunks.map(({ data }) => data));
}

/** Deletes the chunks of those of these uploads that are no blobs. */
async function dropChunks(db: LedgerDatabase, uploads: readonly string[]): Promise<void> {
  if (uploads.length === 0) return;
  await db
    .deleteFrom('chunks')
    .where('upload', 'in', uploads)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('blobs').select('sha256').whereRef('blobs.upload', '=', 'chunks.upload'))),
    )
    .execute();
}
