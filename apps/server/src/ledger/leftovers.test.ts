/** What a start makes of blobs that its ledger does not name: a ledger that is gone, or an older one that was put back. */
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
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

it('keeps nothing of a campaign file that turns out bad', async () => {
  const before = filesIn('blobs');
  const ledger = await open();
  const long = { id: '', domain: 'sums', prompt: 'Sum', answer: 'word '.repeat(5000) };
  writeFileSync(join(campaign.folder, 'heldout.jsonl'), `${JSON.stringify(long)}\n`);
  const config = readFileSync(campaign.file, 'utf8').replace('"partitionSeed":', '"partitionSeed":1');
  writeFileSync(campaign.file, config);
  await expect(ledger.addCampaign(campaign.file)).rejects.toThrow('no record fits into training.maxTokens');
  await ledger.close();
  expect(filesIn('blobs')).toEqual(before);
});

it('counts what another thread stored for a campaign file that came to nothing neither as used nor as freed', async () => {
  const lone = makeTestCampaign({ adapter: smallAdapter });
  const ledger = await Ledger.open({ dataDir: lone.dataDir });
  await ledger.addCampaign(lone.file);
  const deltaBytes = 4 * ledger.definition('test').manifest.layout.size;
  await ledger.close();
  const used = readdirSync(join(lone.dataDir, 'blobs')).reduce(
    (sum, name) => sum + statSync(join(lone.dataDir, 'blobs', name)).size,
    0,
  );
  const bounded = await Ledger.open({ dataDir: lone.dataDir, blobs: { maxBytes: used + 1.5 * deltaBytes } });
  const stored = await new FileBlobs(lone.dataDir).put(new Uint8Array(2 * deltaBytes));
  await bounded.dropUnserved([stored]);
  await contributeTo(bounded, await joinLedger(bounded), seededDelta(deltaBytes / 4, 1));
  const another = joinLedger(bounded).then((volunteer) =>
    contributeTo(bounded, volunteer, seededDelta(deltaBytes / 4, 2)),
  );
  await expect(another).rejects.toMatchObject({ code: 'storage_full' });
  await bounded.close();
  lone.remove();
});
