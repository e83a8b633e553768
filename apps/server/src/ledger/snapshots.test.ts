/** A few stored sums stand for every version: the same bits, and a disk that does not grow with the versions. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ExactFold } from '@oneround/fl-core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { collect } from '../testing/collect.ts';
import { exportedFiles } from '../testing/exported-files.ts';
import { selectRows, writeTo } from '../testing/ledger-file.ts';
import { contributeTo, deltaFor, joinLedger } from '../testing/ledger-volunteer.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { Ledger } from './ledger.ts';
import type { SnapshotPolicy } from './version-sums.ts';
import { verifyDataDir } from './verify.ts';

const SHARDS = 8;
let campaign: TestCampaign;
let ledger: Ledger;
let now: number;

beforeEach(() => {
  campaign = makeTestCampaign({ lease: { ttlMs: 3_600_000, heartbeatMs: 5000 } }, { records: 24, shards: SHARDS });
  now = 1_700_000_000_000;
});

afterEach(async () => {
  await ledger.close();
  campaign.remove();
});

async function open(snapshots: Partial<SnapshotPolicy>): Promise<void> {
  ledger = await Ledger.open({ dataDir: campaign.dataDir, snapshots, now: () => now });
  await ledger.addCampaign(campaign.file);
}

/** A contribution in a version of its own. @returns its id */
async function merge(seed: number): Promise<string> {
  const { contributionId } = await contributeTo(ledger, await joinLedger(ledger), deltaFor(ledger, seed));
  await ledger.fold('test');
  return contributionId;
}

function snapshots(): { version: number; sha256: string }[] {
  return selectRows(campaign.dataDir, 'select version, sha256 from snapshots order by version');
}

/** Blobs as large as a sum. */
function storedSums(): string[] {
  const folder = join(campaign.dataDir, 'blobs');
  const bytes = ledger.definition('test').manifest.layout.size * Float64Array.BYTES_PER_ELEMENT;
  return readdirSync(folder).filter((name) => statSync(join(folder, name)).size === bytes);
}

async function verify(): Promise<void> {
  expect((await collect(verifyDataDir(campaign.dataDir)))[0]!.versions).toBeGreaterThan(0);
}

/** Every version's values have the hash that it was published with. */
async function expectAllVersions(): Promise<void> {
  const { versions } = await ledger.state('test');
  for (const { version, sha256 } of versions) {
    const { values } = await ledger.subjectChange('test', { kind: 'version', version });
    expect({ version, sha256: createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex') }).toEqual({
      version,
      sha256,
    });
  }
}

it('stores a sum every few merges, keeps the last ones, and still has every version', async () => {
  await open({ everyMerges: 2, keep: 2 });
  const first = await merge(1);
  expect(snapshots()).toEqual([]);
  for (let seed = 2; seed <= 5; seed++) await merge(seed);
  await ledger.withdraw(first);
  expect(snapshots().map(({ version }) => version)).toEqual([4, 6]);
  expect(storedSums().toSorted()).toEqual(
    snapshots()
      .map(({ sha256 }) => sha256)
      .toSorted(),
  );
  await merge(7);
  await expectAllVersions();
  await verify();

  await ledger.close();
  await open({ everyMerges: 2, keep: 2 });
  await expectAllVersions();
  await merge(8);
  expect(storedSums()).toHaveLength(2);
  await verify();
});

it('stores a sum when a version comes long after the last stored one', async () => {
  await open({ everyMerges: 2, everyMs: 60_000 });
  await merge(1);
  await merge(2);
  await merge(3);
  expect(snapshots().map(({ version }) => version)).toEqual([2]);
  now += 60_000;
  await merge(4);
  expect(snapshots().map(({ version }) => version)).toEqual([2, 4]);
});

it('refuses a version that is not there, by name', async () => {
  await open({});
  await expect(ledger.exportVersion('test', 1)).rejects.toMatchObject({
    code: 'unknown_version',
    message: 'The campaign "test" has no version 1.',
  });
});

it('exports no version that is too far from a stored sum, but can still score it', async () => {
  await open({});
  const { size } = ledger.definition('test').manifest.layout;
  await ledger.close();
  await open({ everyMerges: 100, replayLimit: 2 * size });
  for (let seed = 1; seed <= 6; seed++) await merge(seed);
  for (const near of [0, 1, 2, 4, 5, 6]) expect((await exportedFiles(ledger, 'test', near)).version).toBe(near);
  await expect(ledger.exportVersion('test', 3)).rejects.toMatchObject({ code: 'version_archived' });
  await expectAllVersions();
});

it('verify names a snapshot with another byte, and one that is of another version', async () => {
  await open({ everyMerges: 1 });
  await merge(1);
  await merge(2);
  const [first, second] = snapshots();
  const path = join(campaign.dataDir, 'blobs', second!.sha256);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.with(bytes.length >> 1, bytes[bytes.length >> 1]! ^ 1));
  await expect(verify()).rejects.toThrow(
    `campaign test: version 2: snapshot: the SHA-256 of ${path} should be ${second!.sha256} but is`,
  );
  writeTo(campaign.dataDir, `update snapshots set sha256 = '${first!.sha256}' where version = 2`);
  await expect(verify()).rejects.toThrow(
    `campaign test: version 2: snapshot: the SHA-256 should be ${second!.sha256} but is ${first!.sha256}`,
  );
});

it('a sum that two campaigns share is deleted with the last of them', async () => {
  // Withdrawing everything gives the sum of nothing, which is that of any campaign with the same layout.
  await open({ everyMerges: 1, keep: 1 });
  const zeros = new ExactFold(ledger.definition('test').manifest.layout.size).sum;
  const hash = createHash('sha256').update(new Uint8Array(zeros.buffer)).digest('hex');
  await ledger.withdraw(await merge(1));
  writeTo(campaign.dataDir, `insert into snapshots values ('other', 1, '${hash}', 1)`);
  await merge(2);
  expect(existsSync(join(campaign.dataDir, 'blobs', hash))).toBe(true);
  writeTo(campaign.dataDir, `delete from snapshots where campaign_id = 'other'`);
});
