/** A disk without room at every write of intake and fold: the typed refusal, and nothing acknowledged is lost. */
import { writeSync } from 'node:fs';
import { encodeDelta } from '@oneround/fl-core';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { beginOf, deltaFor, joinLedger, uploadTo } from '../testing/ledger-volunteer.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { asStorageFull } from './database-errors.ts';
import { Ledger } from './ledger.ts';
import { lockDataDir, thisProcess } from './data-lock.ts';
import { openDatabase } from './open-database.ts';

let campaign: TestCampaign;
let unlock: () => void;

beforeEach(() => {
  campaign = makeTestCampaign();
  unlock = lockDataDir(campaign.dataDir, thisProcess());
});

afterEach(() => {
  unlock();
  campaign.remove();
});

it('refuses what it cannot write, keeps what it acknowledged, and folds it once there is room', async () => {
  let room = Number.POSITIVE_INFINITY;
  const write = (descriptor: number, data: Uint8Array) => {
    if (room <= 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const written = writeSync(descriptor, data.subarray(0, Math.min(room, data.byteLength)));
    room -= written;
    return written;
  };
  const ledger = await Ledger.open({
    dataDir: campaign.dataDir,
    blobs: { disk: { writeSync: write } },
    snapshots: { everyMerges: 1 },
  });
  try {
    await ledger.addCampaign(campaign.file);
    const bytes = encodeDelta(deltaFor(ledger, 1), 'f32');
    const begin = await beginOf(ledger, await joinLedger(ledger), bytes);
    const { contributionId } = begin;
    const full = { name: 'Refusal', code: 'storage_full' };
    expect(await ledger.beginUpload(begin)).toBe(0);
    expect(await ledger.uploadChunk(contributionId, 0, bytes.subarray(0, 1000))).toBe(1000);
    // The disk fills up in the middle of a chunk: none of it counts.
    room = 500;
    await expect(ledger.uploadChunk(contributionId, 1000, bytes.subarray(1000))).rejects.toMatchObject(full);
    expect(await ledger.beginUpload(begin)).toBe(1000);
    room = Number.POSITIVE_INFINITY;
    await ledger.uploadChunk(contributionId, 1000, bytes.subarray(1000));
    expect((await ledger.finishUpload(contributionId)).value.sequence).toBe(1);
    // This fold writes a snapshot.
    room = 0;
    await expect(ledger.fold('test')).rejects.toMatchObject(full);
    const { contributions, versions } = await ledger.state('test');
    expect([contributions.length, versions.length]).toEqual([1, 1]);
    room = Number.POSITIVE_INFINITY;
    expect((await ledger.fold('test'))!.value).toBe(1);
    expect((await ledger.state('test')).contributions).toMatchObject([{ contributionId, foldedVersion: 1 }]);
  } finally {
    await ledger.close();
  }
});

it('accepts the whole of a contribution or nothing: its row, the end of its lease, its line in the log', async () => {
  const { dataDir } = campaign;
  const ledger = await Ledger.open({ dataDir });
  const db = await openDatabase(dataDir);
  try {
    await ledger.addCampaign(campaign.file);
    const { contributionId } = await uploadTo(ledger, await joinLedger(ledger), deltaFor(ledger, 1));
    // The last thing that is written fails.
    await sql`CREATE TRIGGER full BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'no room'); END`.execute(db);
    await expect(ledger.finishUpload(contributionId)).rejects.toThrow('no room');
    const { contributions, clients } = await ledger.state('test');
    expect(contributions).toEqual([]);
    expect(clients).toMatchObject([{ phase: 'joined', contributionId: null }]);
    await sql`DROP TRIGGER full`.execute(db);
    const { value, changes } = await ledger.finishUpload(contributionId);
    expect(value).toMatchObject({ sequence: 1, repeated: false });
    expect(changes.map(({ type }) => type)).toEqual(['contribution', 'client', 'log']);
    expect((await ledger.state('test')).clients).toMatchObject([{ phase: 'contributed' }]);
  } finally {
    await db.destroy();
    await ledger.close();
  }
});

it("knows SQLite's own word for a full disk", async () => {
  const db = await openDatabase(campaign.dataDir);
  try {
    await sql`PRAGMA max_page_count = 1`.execute(db); // SQLite takes the size the file has for the least.
    const fill = async () => {
      for (let at = 1; at <= 1000; at++) {
        await db
          .insertInto('log')
          .values({ campaign_id: 'test', at, kind: 'joined', message: 'x'.repeat(500) })
          .execute();
      }
    };
    const error: unknown = await fill().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SQLITE_FULL' });
    expect(asStorageFull(error)).toMatchObject({ name: 'Refusal', code: 'storage_full' });
  } finally {
    await db.destroy();
  }
});
