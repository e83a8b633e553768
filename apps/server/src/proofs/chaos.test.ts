/** The short form of `npm run bench -- chaos`: a server is killed again and again, and nothing it promised is lost. */
import { SeededRandom } from '@oneround/fl-core';
import { afterEach, expect, it } from 'vitest';
import { verifyDataDir } from '../ledger/index.ts';
import { collect } from '../testing/collect.ts';
import { harmDone, killAtRandom, runChaos } from '../testing/chaos/index.ts';
import { ServerProcess } from '../testing/server-process.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';

const SEED = 5;
const KILLS = 3;
/** Longer than any restart of a busy machine takes. */
const lease = { ttlMs: 120_000, heartbeatMs: 5000 };
let campaign: TestCampaign;
let server: ServerProcess;

afterEach(async () => {
  await server.end();
  campaign.remove();
});

it('keeps every acknowledged contribution, once, through kills at random moments', async () => {
  campaign = makeTestCampaign({ adapter: smallAdapter, lease }, { records: 240, shards: 120 });
  server = await ServerProcess.prepare({ campaignFile: campaign.file, dataDir: campaign.dataDir });
  server.start();
  await server.untilServing();
  const report = await runChaos({
    urls: [server.url],
    volunteers: 3,
    seed: SEED,
    faults: async () =>
      void (await killAtRandom([server], { kills: KILLS, random: new SeededRandom(SEED), longestLifeMs: 2000 })),
  });
  expect(harmDone(report)).toEqual([]);
  expect(report.resumed).toBeGreaterThan(0);
  expect(report.brokenConnections).toBeGreaterThanOrEqual(KILLS);
  expect(await server.end('SIGTERM')).toBe(0);
  expect(server.output).toBe('');
  const verified = await collect(verifyDataDir(campaign.dataDir));
  expect(verified).toMatchObject([{ contributions: report.acknowledged, pending: 0, versions: report.versions }]);
}, 300_000);
