/** Blobs that are not what was stored, in both stores: nothing is made of them, and whose they are is said. */
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { contributeTo, deltaFor, joinLedger } from '../testing/ledger-volunteer.ts';
import { queryOnce, startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { Ledger } from './ledger.ts';
import type { SnapshotPolicy } from './version-sums.ts';

type Damage = 'changed' | 'cut short' | 'missing';

/** A ledger's rows and blobs, within reach of whoever has the disk. */
interface Store {
  open(snapshots?: Partial<SnapshotPolicy>): Promise<Ledger>;
  damage(sha256: string, how: Damage): Promise<void>;
  query(sql: string): Promise<Record<string, unknown>[]>;
}

let postgres: TestPostgres;
let campaign: TestCampaign;
let databaseUrl: string;
let ledger: Ledger | null = null;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());
beforeEach(async () => {
  campaign = makeTestCampaign({ adapter: smallAdapter });
  databaseUrl = await postgres.createDatabase();
});
afterEach(async () => {
  await close();
  campaign.remove();
});

const files: Store = {
  open: (snapshots = {}) => Ledger.open({ dataDir: campaign.dataDir, snapshots }),
  async damage(sha256, how) {
    const path = join(campaign.dataDir, 'blobs', sha256);
    if (how === 'missing') rmSync(path);
    else if (how === 'cut short') truncateSync(path, 1000);
    else writeFileSync(path, flipped(readFileSync(path)));
  },
  async query(sql) {
    const sqlite = new SqliteDatabase(join(campaign.dataDir, 'ledger.sqlite'));
    const statement = sqlite.prepare(sql);
    const rows = statement.reader ? statement.all() : (statement.run(), []);
    sqlite.close();
    return rows as Record<string, unknown>[];
  },
};

const rows: Store = {
  open: (snapshots = {}) => Ledger.open({ dataDir: `${campaign.dataDir}-cache`, databaseUrl, snapshots }),
  async damage(sha256, how) {
    const chunks = `where upload = (select upload from blobs where sha256 = '${sha256}')`;
    if (how === 'missing') await this.query(`delete from blobs where sha256 = '${sha256}'`);
    else if (how === 'cut short') await this.query(`update chunks set data = substr(data, 1, 1000) ${chunks}`);
    else await this.query(`update chunks set data = set_byte(data, 99, 255 - get_byte(data, 99)) ${chunks}`);
  },
  query: (sql) => queryOnce(databaseUrl, sql),
};

function flipped(bytes: Uint8Array): Uint8Array {
  return bytes.with(bytes.length >> 1, bytes[bytes.length >> 1]! ^ 1);
}

async function open({ open: openStore }: Store, snapshots?: Partial<SnapshotPolicy>): Promise<Ledger> {
  const opened = await openStore(snapshots);
  ledger = opened;
  await opened.addCampaign(campaign.file);
  await vi.waitUntil(async () => (await opened.catchUp()).leads, { timeout: 20_000 });
  return opened;
}

async function close(): Promise<void> {
  await ledger?.close();
  ledger = null;
}

async function contribute(to: Ledger, seed: number): Promise<string> {
  return (await contributeTo(to, await joinLedger(to), deltaFor(to, seed))).contributionId;
}

async function shaOf({ query }: Store, select: string): Promise<string> {
  return String((await query(select))[0]!['sha256']);
}

describe.each([
  ['files', files],
  ['Postgres', rows],
])('%s', (_, store) => {
  it.each(['changed', 'cut short', 'missing'] as const)('a delta that is %s is not folded at start', async (how) => {
    const first = await open(store);
    await contribute(first, 1);
    const id = await contribute(first, 2);
    expect((await first.fold('test'))!.value).toBe(1);
    await close();
    await store.damage(await shaOf(store, `select sha256 from contributions where contribution_id = '${id}'`), how);
    await expect(store.open()).rejects.toThrow(
      new RegExp(`^campaign test: contribution #2 \\(${id}\\): .*(changed|missing|ends at).*\`oneround verify\``),
    );
  });

  it('a delta that changed before its fold is in no version', async () => {
    const first = await open(store);
    const id = await contribute(first, 1);
    await store.damage(await shaOf(store, 'select sha256 from contributions'), 'changed');
    await expect(first.fold('test')).rejects.toThrow(`campaign test: contribution #1 (${id}): `);
    expect((await first.state('test')).versions).toHaveLength(1);
    // It is in nobody's way once it is withdrawn.
    await first.withdraw(id);
    await contribute(first, 2);
    expect((await first.fold('test'))!.value).toBe(1);
  });

  it('a snapshot that changed is not built upon', async () => {
    const first = await open(store, { everyMerges: 1 });
    await contribute(first, 1);
    await first.fold('test');
    await close();
    await store.damage(await shaOf(store, 'select sha256 from snapshots'), 'changed');
    await expect(store.open()).rejects.toThrow('campaign test: the snapshot of version 1: ');
  });

  it('a sum that is not the recorded one is not built upon', async () => {
    const first = await open(store);
    await contribute(first, 1);
    await first.fold('test');
    await close();
    const other = 'ab'.repeat(32);
    await store.query(`update versions set sum_sha256 = '${other}' where version = 1`);
    await expect(store.open()).rejects.toThrow(
      new RegExp(`^campaign test: version 1: the SHA-256 of its contributions' sum should be ${other} but is`),
    );
  });

  it('a campaign that is damaged keeps nobody from another, and can be deleted', async () => {
    const first = await open(store);
    const other = makeTestCampaign({ id: 'other', adapter: smallAdapter });
    await first.addCampaign(other.file);
    await contribute(first, 1);
    await first.fold('test');
    await close();
    await store.damage(await shaOf(store, 'select sha256 from contributions'), 'changed');
    ledger = await store.open();
    const problem = expect.stringMatching(/^campaign test: .* #1 /);
    expect(await ledger.addCampaign(campaign.file)).toMatchObject({ change: 'unchanged', problem });
    // A file may take longer to read than a failure is remembered.
    const later = performance.now() + 60_000;
    const clock = vi.spyOn(performance, 'now').mockReturnValue(later);
    expect(await ledger.addCampaign(campaign.file)).toMatchObject({ change: 'unchanged', problem });
    clock.mockRestore();
    expect(await ledger.addCampaign(other.file)).toMatchObject({ change: 'unchanged', problem: null });
    other.remove();
    expect(ledger.manifests().map(({ id }) => id)).toEqual(['other']);
    const { failures } = await ledger.catchUp();
    expect(failures).toEqual([expect.stringMatching(/^The campaign "test" cannot be opened: campaign test: .* #1 /)]);
    expect((await ledger.catchUp()).failures).toEqual([]);
    await ledger.addCampaign(campaign.file);
    expect((await ledger.catchUp()).failures).toEqual(failures);
    await ledger.deleteCampaign('test');
    expect((await ledger.campaigns()).map(({ id }) => id)).toEqual(['other']);
  });

  it('a model file that is missing is named', async () => {
    const { config } = (await open(store)).definition('test').manifest.model;
    await close();
    await store.damage(config.sha256, 'missing');
    await expect(store.open()).rejects.toThrow(/^campaign test: model\/config\.json: .* is missing\. /);
  });
});
