/** The short form of `npm run bench -- fuzz`: nonsense on every level, and a server that serves on. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runFuzz } from '../testing/fuzz/index.ts';
import { ServerProcess } from '../testing/server-process.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { seededDelta, TestClient } from '../testing/test-client.ts';

const MESSAGES = 800;
const SEED = 7;
let campaign: TestCampaign;
let server: ServerProcess;

beforeEach(async () => {
  campaign = makeTestCampaign({ adapter: smallAdapter, lease: { ttlMs: 5000, heartbeatMs: 1000 } });
  server = await ServerProcess.prepare({ campaignFile: campaign.file, dataDir: campaign.dataDir });
  server.start();
  await server.untilServing('/readyz');
});

afterEach(async () => {
  await server.end();
  campaign.remove();
});

it('survives nonsense without a word in its log, and takes a contribution afterwards', async () => {
  const report = await runFuzz(server, MESSAGES, SEED);
  expect(report.packets).toBeGreaterThan(MESSAGES / 2);
  expect(report.hungUp).toBeGreaterThan(0);
  const volunteer = await TestClient.connect(server.url);
  const lease = await volunteer.join();
  expect(await volunteer.contribute(lease, seededDelta(volunteer.manifest.layout.size, 1))).toMatchObject({
    repeated: false,
  });
  volunteer.close();
  expect(server.output).toBe('');
  expect(await server.end('SIGTERM')).toBe(0);
}, 300_000);
