/** What a start makes of blobs that its ledger does not name: a ledger that is gone, or an older one that was put back. */
import { copyFileSync, existsSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { collect } from '../testing/collect.ts';
import { contributeTo, joinLedger } from '../testing/ledger-volunteer.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { seededDelta } from '../testing/test-client.ts';
import { FileBlobs } from './file-blobs.ts';
import { Ledger } from './ledger.ts';
import { verifyDataDir } from './verify.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

let campaign: TestCampaign;
let now: number;
let older: string;

/** A campaign with one contribution, and a copy of its ledger from before that. */
beforeEach(async () => {
  campaign = makeTestCampaign({ adapter: smallAdapter }, { records: 12, shards: 2 });
  now = Date.now();
  older = join(campaign.folder, 'older.sqlite');
  const ledger = await open();
  await ledger.addCampaign(campaign.file);
  await ledger.close();
  copyFileSync(pathOfLedger(), older);
  const again = await open();
  const size = again.definition('test').manifest.layout.size;
  await contributeTo(again, await joinLedger(again), seededDelta(size, 1));
  await again.fold('test');
  await again.close();
});
afterEach(() => campaign.remove());

const open = () => Ledger.open({ dataDir: campaign.dataDir, now: () => now });
const pathOfLedger = () => join(campaign.dataDir, 'ledger.sqlite');
const filesIn = (folder: string) => readdirSync(join(campaign.dataDir, folder)).toSorted();

/** Opens and closes the ledger. */
async function start(): Promise<void> {
  await (await open()).close();
}

it('begins no new ledger beside the blobs of another', async () => {
  const before = filesIn('blobs');
  renameSync(pathOfLedger(), `${pathOfLedger()}.damaged`);
  for (const _ of [1, 2]) {
    await expect(open()).rejects.toThrow(
      `${join(campaign.dataDir, 'blobs')} holds ${before.length} files, but their ledger ${pathOfLedger()} is not there: put it back, from a backup if need be, or name another --data directory.`,
    );
  }
  expect(existsSync(pathOfLedger())).toBe(false);
  expect(filesIn('blobs')).toEqual(before);
});

it('keeps what an older ledger does not name, for the newer one to come back', async () => {
  const before = filesIn('blobs');
  const newer = join(campaign.folder, 'newer.sqlite');
  renameSync(pathOfLedger(), newer);
  copyFileSync(older, pathOfLedger());
  await start();
  const aside = filesIn('dropped');
  expect(aside.length).toBeGreaterThan(0);
  expect([...filesIn('blobs'), ...aside].toSorted()).toEqual(before);
  now += 6 * DAY_MS;
  await start();
  expect(filesIn('dropped')).toEqual(aside);
  copyFileSync(newer, pathOfLedger());
  await start();
  expect(filesIn('blobs')).toEqual(before);
  expect(filesIn('dropped')).toEqual([]);
  expect(await collect(verifyDataDir(campaign.dataDir))).toMatchObject([{ contributions: 1 }]);
});

it('deletes after a week what no ledger came back for, and counts it as used until then', async () => {
  copyFileSync(older, pathOfLedger());
  const used = ['blobs', 'parts'].flatMap((folder) =>
    filesIn(folder).map((name) => join(campaign.dataDir, folder, name)),
  );
  const maxBytes = used.reduce((sum, path) => sum + statSync(path).size, 0);
  const reserve = (bytes: number) => new FileBlobs(campaign.dataDir, { maxBytes }).reserve(bytes);
  await start();
  const kept = filesIn('blobs');
  await reserve(0);
  await expect(reserve(1)).rejects.toMatchObject({ code: 'storage_full' });
  now += 7 * DAY_MS;
  await start();
  expect(filesIn('dropped')).toEqual([]);
  expect(filesIn('blobs')).toEqual(kept);
  await reserve(1);
});
