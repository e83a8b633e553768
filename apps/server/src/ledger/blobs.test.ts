/** One contract, two stores: files, and rows of a Postgres. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '@oneround/fl-core';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { BlobsGone, hashBytes, type Blobs } from './blobs.ts';
import { FileBlobs } from './file-blobs.ts';
import { openDatabase, type LedgerDatabase } from './open-database.ts';
import { PostgresBlobs } from './postgres-blobs.ts';

let folder: string;
let postgres: TestPostgres;
let db: LedgerDatabase;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'oneround-blobs-'));
  db = await openDatabase('', await postgres.createDatabase());
});
afterEach(async () => {
  await db.destroy();
  rmSync(folder, { recursive: true, force: true });
});

function randomBytes(length: number, seed: number): Uint8Array {
  const random = new SeededRandom(seed);
  return Uint8Array.from({ length }, () => Math.floor(random.nextUnit() * 256));
}

/** The row of an upload under way, which servers that share a database lock. */
async function beginUpload(sha256: string): Promise<string> {
  const contribution_id = randomUUID();
  const row = { contribution_id, campaign_id: 'test', lease_id: randomUUID(), sha256, bytes: 1, begin: '{}' };
  await db.insertInto('uploads').values(row).execute();
  return contribution_id;
}

const stores: [string, (maxBytes?: number) => Blobs][] = [
  ['files', (maxBytes) => new FileBlobs(folder, maxBytes === undefined ? {} : { maxBytes })],
  ['Postgres', (maxBytes) => new PostgresBlobs(db, new FileBlobs(folder), maxBytes)],
];

describe.each(stores)('%s', (name, open) => {
  it('gives back what was put, as bytes and as a file, and keeps it once', async () => {
    const blobs = open();
    // More than one piece, and not a whole number of them.
    const bytes = randomBytes(2_500_000, 1);
    const sha256 = hashBytes(bytes);
    expect(await blobs.has(sha256)).toBe(false);
    await expect(blobs.read(sha256)).rejects.toThrow(sha256);
    expect([await blobs.put(bytes), await blobs.put(bytes)]).toEqual([sha256, sha256]);
    expect(await blobs.has(sha256)).toBe(true);
    expect(hashBytes(await blobs.read(sha256))).toBe(sha256);
    expect(hashBytes(readFileSync(await blobs.file(sha256)))).toBe(sha256);
  });

  it('makes a blob of an upload that came in parts', async () => {
    const blobs = open();
    const bytes = randomBytes(150_000, name.length);
    const upload = await beginUpload(hashBytes(bytes));
    expect(await blobs.partBytes(upload)).toBe(0);
    expect(await blobs.appendPart(upload, 0, bytes.subarray(0, 65_536))).toBe(65_536);
    expect(await blobs.appendPart(upload, 65_536, bytes.subarray(65_536))).toBe(150_000);
    expect(await blobs.partBytes(upload)).toBe(150_000);
    const sha256 = hashBytes(await blobs.readPart(upload));
    expect(sha256).toBe(hashBytes(bytes));
    await blobs.adoptPart(upload, sha256);
    // A refused repetition of the same upload is dropped; what it became stays.
    await blobs.dropPart(upload);
    expect(hashBytes(await blobs.read(sha256))).toBe(sha256);
  });

  it('forgets a part that is dropped', async () => {
    const blobs = open();
    const upload = await beginUpload('');
    await blobs.appendPart(upload, 0, randomBytes(1000, 3));
    await blobs.dropPart(upload);
    expect(await blobs.partBytes(upload)).toBe(0);
    await expect(blobs.readPart(upload)).rejects.toThrow(/ENOENT|No upload was begun/);
  });

  it('makes no blob of a part that was dropped, or of other bytes than were checked', async () => {
    const blobs = open();
    const [bytes, others] = [randomBytes(1000, 4), randomBytes(1000, 5)];
    const [sha256, upload] = [hashBytes(bytes), await beginUpload(hashBytes(bytes))];
    if (name === 'Postgres') {
      await blobs.appendPart(upload, 0, others);
      await expect(blobs.adoptPart(upload, sha256)).rejects.toMatchObject({ code: 'unknown_upload' });
      await db.deleteFrom('uploads').execute();
      await blobs.dropPart(upload);
      // Nor does what comes late become a part.
      expect(await blobs.appendPart(upload, 0, bytes)).toBe(0);
    }
    // Of files the ledger's thread is the only one, and has just hashed them.
    await expect(blobs.adoptPart(upload, sha256)).rejects.toThrow(/ENOENT|No upload was begun/);
    expect(await blobs.has(sha256)).toBe(false);
  });

  it('deletes a blob for good, from its copies too', async () => {
    const blobs = open();
    const bytes = randomBytes(1000, 8 + name.length);
    const sha256 = await blobs.put(bytes);
    await blobs.file(sha256);
    await blobs.dropUnnamed([sha256], db);
    await blobs.dropUnnamed([sha256], db);
    expect(await blobs.has(sha256)).toBe(false);
    await expect(blobs.read(sha256)).rejects.toThrow(sha256);
    expect(readdirSync(join(folder, 'blobs'))).toEqual([]);
    expect(await blobs.put(bytes)).toBe(sha256);
    expect(hashBytes(await blobs.read(sha256))).toBe(sha256);
    const two = [sha256, await blobs.put(randomBytes(1000, 20 + name.length))];
    await blobs.dropUnnamed(two, db);
    expect(readdirSync(join(folder, 'blobs'))).toEqual([]);
    expect(await db.selectFrom('chunks').select('upload').execute()).toEqual([]);
  });

  it('keeps what a row names, and says of what somebody wants to name that it is gone', async () => {
    const blobs = open();
    const [named, unnamed] = [await blobs.put(randomBytes(1000, 11)), await blobs.put(randomBytes(1000, 12))];
    const hold = (hashes: string[]) => db.transaction().execute((transaction) => blobs.hold(hashes, transaction));
    await hold([unnamed, named]);
    const upload = await beginUpload(named);
    await blobs.dropUnnamed([named, unnamed], db);
    expect([await blobs.has(named), await blobs.has(unnamed)]).toEqual([true, false]);
    await hold([named]);
    await expect(hold([named, unnamed])).rejects.toThrow(unnamed);
    await expect(hold([named, unnamed])).rejects.toThrow(BlobsGone);
    await db.deleteFrom('uploads').where('contribution_id', '=', upload).execute();
    await blobs.dropUnnamed([named], db);
    expect(await blobs.has(named)).toBe(false);
  });

  it('keeps a part whose bytes are a blob already, until it is dropped', async () => {
    const blobs = open();
    const bytes = randomBytes(1000, 13 + name.length);
    const sha256 = await blobs.put(bytes);
    const upload = await beginUpload(sha256);
    await blobs.appendPart(upload, 0, bytes);
    await blobs.adoptPart(upload, sha256);
    expect(hashBytes(await blobs.readPart(upload))).toBe(sha256);
    await blobs.dropPart(upload);
    expect(await blobs.partBytes(upload)).toBe(0);
    expect(hashBytes(await blobs.read(sha256))).toBe(sha256);
  });

  it('refuses what is past the quota', async () => {
    const blobs = open(400_000);
    const upload = await beginUpload('');
    await blobs.appendPart(upload, 0, randomBytes(200_000, 4));
    const full = { name: 'Refusal', code: 'storage_full' };
    await expect(blobs.reserve(400_000)).rejects.toMatchObject(full);
    await expect(blobs.appendPart(upload, 200_000, randomBytes(400_000, 5))).rejects.toMatchObject(full);
    expect(await blobs.partBytes(upload)).toBe(200_000);
  });

  it('has the room again of what was dropped', async () => {
    const blobs = open(2_000_000);
    const sha256 = await blobs.put(randomBytes(1_500_000, 9));
    const upload = await beginUpload('');
    await blobs.appendPart(upload, 0, randomBytes(60_000, 4));
    await expect(blobs.reserve(1_000_000)).rejects.toMatchObject({ code: 'storage_full' });
    await blobs.dropUnnamed([sha256], db);
    await blobs.reserve(1_900_000);
    await expect(blobs.reserve(1_950_000)).rejects.toMatchObject({ code: 'storage_full' });
  });
});

describe('two servers on one Postgres', () => {
  it('go on with one another’s uploads, and a chunk that came to both is stored once', async () => {
    const [first, second] = [
      new PostgresBlobs(db, new FileBlobs(folder)),
      new PostgresBlobs(db, new FileBlobs(folder)),
    ];
    const bytes = randomBytes(100_000, 6);
    const upload = await beginUpload(hashBytes(bytes));
    await first.appendPart(upload, 0, bytes.subarray(0, 60_000));
    expect(await second.partBytes(upload)).toBe(60_000);
    const rest = bytes.subarray(60_000);
    const lengths = await Promise.all([first, second].map((blobs) => blobs.appendPart(upload, 60_000, rest)));
    expect(lengths).toEqual([100_000, 100_000]);
    expect(hashBytes(await second.readPart(upload))).toBe(hashBytes(bytes));
  });

  it('leave no chunk behind that reaches one while the other forgets the upload', async () => {
    const [first, second] = [
      new PostgresBlobs(db, new FileBlobs(folder)),
      new PostgresBlobs(db, new FileBlobs(folder)),
    ];
    const upload = await beginUpload('');
    await first.appendPart(upload, 0, randomBytes(1000, 6));
    let late: Promise<number>;
    await db.transaction().execute(async (transaction) => {
      await transaction.deleteFrom('uploads').where('contribution_id', '=', upload).execute();
      late = second.appendPart(upload, 1000, randomBytes(1000, 7));
      const waiting = sql`select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
      await vi.waitFor(async () => expect((await waiting.execute(db)).rows).toHaveLength(1));
      await first.dropPart(upload, transaction);
    });
    expect(await late!).toBe(0);
    expect(await db.selectFrom('chunks').select('upload').execute()).toEqual([]);
  });

  it('may put the same bytes at once', async () => {
    const bytes = randomBytes(3_000_000, 7);
    const servers = [1, 2, 3].map(() => new PostgresBlobs(db, new FileBlobs(folder)));
    const hashes = await Promise.all(servers.map((blobs) => blobs.put(bytes)));
    expect(new Set(hashes)).toEqual(new Set([hashBytes(bytes)]));
    expect(hashBytes(await servers[0]!.read(hashes[0]!))).toBe(hashes[0]);
  });
});
