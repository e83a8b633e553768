/** A backup under writes: whatever the moment, the copy verifies, and holds what was acknowledged before it began. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { RunningServer } from '../server.ts';
import { collect } from '../testing/collect.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { seededDelta, TestClient } from '../testing/test-client.ts';
import { serveTestCampaign } from '../testing/test-server.ts';
import { copyDataDir } from './backup.ts';
import { verifyDataDir } from './verify.ts';

/** Disks of busy machines sync slowly. */
const LIMIT_MS = 240_000;

let campaign: TestCampaign;
let server: RunningServer;

afterEach(async () => {
  await server.close();
  campaign.remove();
});

async function serve(shards: number) {
  campaign = makeTestCampaign({}, { records: 2 * shards, shards });
  server = await serveTestCampaign(campaign, { logLevel: 'error' });
}

async function contribute(seed: number) {
  const client = await TestClient.connect(server.url);
  await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, seed));
  client.close();
}

/** Contributions of a data directory that is all as recorded. */
async function verified(dataDir: string): Promise<number> {
  const reports = await collect(verifyDataDir(dataDir));
  return reports.reduce((sum, { contributions }) => sum + contributions, 0);
}

it(
  'verifies at whatever moment of a busy server it was taken, linked or copied',
  async () => {
    const shards = 10;
    await serve(shards);
    let acknowledged = 0;
    const writing = (async () => {
      for (let seed = 1; seed <= shards; seed++) {
        await contribute(seed);
        acknowledged++;
      }
    })();
    const counts: number[] = [];
    for (let taken = 0; counts.at(-1) !== shards; taken++) {
      const before = acknowledged;
      const folder = join(campaign.folder, `backup-${taken}`);
      const progress: number[] = [];
      await copyDataDir(campaign.dataDir, folder, {
        blobs: taken % 2 === 0 ? 'link' : 'copy',
        onProgress: (files, total) => progress.push(files / total),
      });
      expect(progress.at(-1)).toBe(1);
      counts.push(await verified(folder));
      expect(counts.at(-1)).toBeGreaterThanOrEqual(before);
    }
    await writing;
    // Some of them were taken in the middle.
    expect(new Set(counts).size).toBeGreaterThan(2);
  },
  LIMIT_MS,
);

it(
  'is a data directory that a server goes on with, when the first one is gone',
  async () => {
    await serve(3);
    await contribute(1);
    const backup = join(campaign.folder, 'backup');
    await copyDataDir(campaign.dataDir, backup, { blobs: 'link' });
    // Only its owner may enter: it holds keys and held-out records.
    expect(statSync(backup).mode & 0o777).toBe(0o700);
    await contribute(2);
    await server.close();
    rmSync(campaign.dataDir, { recursive: true });
    await copyDataDir(backup, campaign.dataDir, { blobs: 'copy' });
    const { dataDir } = campaign;
    server = await serveTestCampaign(campaign, { logLevel: 'error' });
    await contribute(3);
    expect(await verified(dataDir)).toBe(2);
    expect(await verified(backup)).toBe(1);
  },
  LIMIT_MS,
);

it(
  'names a blob that is not there, and does not blame a busy server',
  async () => {
    await serve(1);
    await contribute(1);
    const backup = join(campaign.folder, 'backup');
    await copyDataDir(campaign.dataDir, backup, { blobs: 'copy' });
    const [missing] = readdirSync(join(backup, 'blobs'));
    const path = join(backup, 'blobs', missing!);
    rmSync(path);
    const restored = join(campaign.folder, 'restored');
    await expect(copyDataDir(backup, restored, { blobs: 'copy' })).rejects.toThrow(
      `${path} is missing, which ${backup} names; \`oneround verify\` says whose it is. Nothing was copied.`,
    );
    expect(existsSync(restored)).toBe(false);
  },
  LIMIT_MS,
);

it(
  'overwrites nothing, copies no other folder, and leaves nothing behind when it fails',
  async () => {
    await serve(1);
    const taken = join(campaign.folder, 'taken');
    mkdirSync(taken);
    await expect(copyDataDir(campaign.dataDir, taken, { blobs: 'link' })).rejects.toThrow(/is there already/);
    const free = join(campaign.folder, 'free');
    await expect(copyDataDir(taken, free, { blobs: 'link' })).rejects.toThrow(/is no data directory of oneround/);
    expect([free, `${free}.unfinished`].map((path) => existsSync(path))).toEqual([false, false]);
  },
  LIMIT_MS,
);
