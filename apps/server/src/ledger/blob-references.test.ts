/** A blob that two campaigns share, while one server deletes the one and another server needs it for the other. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type pg from 'pg';
import { collect } from '../testing/collect.ts';
import { exportedFiles } from '../testing/exported-files.ts';
import { contributeTo, deltaFor, joinLedger, uploadTo } from '../testing/ledger-volunteer.ts';
import { connectTo, startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { FileBlobs, nodeDisk } from './file-blobs.ts';
import { Ledger } from './ledger.ts';
import { openDatabase } from './open-database.ts';
import { PostgresBlobs } from './postgres-blobs.ts';
import { verifyDatabase } from './verify.ts';

const PATIENCE = { timeout: 20_000 };
/** Of an advisory lock. */
const GATE = 1;

let postgres: TestPostgres;
let databaseUrl: string;
let test: TestCampaign;
/** Names the very same files. */
let other: TestCampaign;
/** Leads. */
let naming: Ledger;
let deleting: Ledger;
let hand: pg.Client;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());
beforeEach(async () => {
  [test, other] = [
    makeTestCampaign({ adapter: smallAdapter }),
    makeTestCampaign({ adapter: smallAdapter, id: 'other' }),
  ];
  databaseUrl = await postgres.createDatabase();
  naming = await Ledger.open({ dataDir: other.dataDir, databaseUrl, snapshots: { everyMerges: 1 } });
  await naming.addCampaign(test.file);
  deleting = await Ledger.open({ dataDir: test.dataDir, databaseUrl });
  hand = await connectTo(databaseUrl);
});
afterEach(async () => {
  await hand.end();
  for (const ledger of [deleting, naming]) await ledger.close();
  for (const campaign of [test, other]) campaign.remove();
});

/** Has a contribution made and folded, the same whichever the campaign; the fold stores the same snapshot. */
async function contribute(campaignId: string): Promise<void> {
  const delta = deltaFor(naming, 1, campaignId);
  await contributeTo(naming, await joinLedger(naming, { campaignId }), delta);
  expect((await naming.fold(campaignId))!.value).toBe(1);
}

/** Returns when somebody waits for a lock. */
async function somebodyWaits(): Promise<void> {
  await vi.waitUntil(async () => {
    const waiting = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
    return (await hand.query(waiting)).rowCount === 1;
  }, PATIENCE);
}

async function verified(): Promise<unknown[]> {
  const reports = await collect(verifyDatabase(databaseUrl));
  return reports;
}

it('stays when another campaign came to name it while it was about to be dropped', async () => {
  await contribute('test');
  await hand.query('begin');
  await hand.query('select 1 from blobs for key share');
  const deletion = deleting.deleteCampaign('test');
  await somebodyWaits();
  await naming.addCampaign(other.file);
  await contribute('other');
  await hand.query('commit');
  await deletion;
  expect(await verified()).toMatchObject([{ campaignId: 'other', contributions: 1, versions: 2 }]);
});

/** Stops whoever inserts or updates a campaign's row, until the function that is returned is called. */
async function stopAt(change: 'insert' | 'update'): Promise<() => Promise<unknown>> {
  await hand.query(`create function wait() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock(${GATE}); return new; end $$`);
  await hand.query(`create trigger wait before ${change} on campaigns for each row execute function wait()`);
  await hand.query(`select pg_advisory_lock(${GATE})`);
  return () => hand.query(`select pg_advisory_unlock(${GATE})`);
}

it('is stored again when it was dropped after another campaign had found it', async () => {
  const goOn = await stopAt('insert');
  const addition = naming.addCampaign(other.file);
  await somebodyWaits();
  await deleting.deleteCampaign('test');
  await goOn();
  await addition;
  expect(await verified()).toMatchObject([{ campaignId: 'other', versions: 1 }]);
});

it('is made again of an upload’s own bytes when it was dropped after the upload had found it', async () => {
  await naming.addCampaign(other.file);
  const delta = deltaFor(naming, 1);
  const { contributionId, sha256 } = await uploadTo(naming, await joinLedger(naming, { campaignId: 'other' }), delta);
  await contributeTo(naming, await joinLedger(naming), delta);
  const goOn = await stopAt('update');
  const accepted = naming.finishUpload(contributionId);
  await somebodyWaits();
  await hand.query(`with dropped as (delete from blobs where sha256 = '${sha256}' returning upload)
    delete from chunks where upload in (select upload from dropped)`);
  await goOn();
  expect((await accepted).value).toMatchObject({ contributionId, sequence: 1, repeated: false });
  await deleting.deleteCampaign('test');
  expect(await verified()).toMatchObject([{ campaignId: 'other', contributions: 1 }]);
});

it('is stored again in a data directory, where another thread stored it and the ledger’s dropped it', async () => {
  let stored = '';
  const renameSync = (from: string, to: string) => {
    nodeDisk.renameSync(from, to);
    // As the ledger's thread would, once, with a campaign that named it.
    if (stored !== '') return;
    stored = to;
    process.nextTick(() => rmSync(stored));
  };
  const ledger = await Ledger.open({ dataDir: join(test.folder, 'embedded'), blobs: { disk: { renameSync } } });
  try {
    await ledger.addCampaign(test.file);
    expect(existsSync(stored)).toBe(true);
    expect((await exportedFiles(ledger, 'test')).version).toBe(0);
  } finally {
    await ledger.close();
  }
});

async function storedChunks(): Promise<object[]> {
  return (await hand.query<{ upload: string }>('select upload, start from chunks order by upload, start')).rows;
}

it('is dropped at a start when nothing names it, with chunks of no upload; what something names stays', async () => {
  await contribute('test');
  const { contributionId } = await uploadTo(naming, await joinLedger(naming), deltaFor(naming, 7));
  const before = await storedChunks();
  const db = await openDatabase('', databaseUrl);
  try {
    // Larger than a piece.
    await new PostgresBlobs(db, new FileBlobs(other.dataDir)).put(new Uint8Array(2_000_000));
    await hand.query(`insert into chunks (upload, start, data) values ('gone', 0, 'x')`);
    expect(await storedChunks()).toHaveLength(before.length + 3);
  } finally {
    await db.destroy();
  }
  await (await Ledger.open({ dataDir: join(test.folder, 'third'), databaseUrl })).close();
  expect(await storedChunks()).toEqual(before);
  expect((await naming.finishUpload(contributionId)).value.sequence).toBe(2);
  expect(await verified()).toMatchObject([{ campaignId: 'test', contributions: 2 }]);
});
