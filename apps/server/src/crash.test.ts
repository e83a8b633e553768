/** SIGKILL at bad moments: nothing acknowledged is lost, and an upload goes on from its acknowledged offset. */
import { contributionsIn, encodeDelta, type CampaignState, type Receipt } from '@oneround/fl-core';
import { afterEach, expect, it, vi } from 'vitest';
import { verifyDataDir } from './ledger/index.ts';
import { collect } from './testing/collect.ts';
import { ServerProcess } from './testing/server-process.ts';
import { makeTestCampaign, type TestCampaign } from './testing/test-campaign.ts';
import { seededDelta, TestClient } from './testing/test-client.ts';

let campaign: TestCampaign;
let server: ServerProcess;

afterEach(async () => {
  await server.end();
  campaign.remove();
});

async function startAgain(): Promise<void> {
  await server.end('SIGKILL');
  server.start();
  await server.untilServing();
}

const stateOf = async (url: string) => (await (await fetch(`${url}/v1/campaigns/test/state`)).json()) as CampaignState;

it('killed in the middle of an upload and right after an acknowledgement', async () => {
  campaign = makeTestCampaign();
  server = await ServerProcess.prepare({ campaignFile: campaign.file, dataDir: campaign.dataDir });
  await startAgain();
  const { url } = server;
  const first = await TestClient.connect(url);
  const lease = await first.join();
  const { layout, upload } = first.manifest;
  const bytes = encodeDelta(seededDelta(layout.size, 1), upload.codec);
  const begin = await first.beginMessage(lease, bytes);
  await first.value('upload.begin', begin);
  const half = await first.sendChunks(begin.contributionId, bytes, 0, upload.chunkBytes);
  await startAgain();

  const again = await TestClient.connect(url, first.keys);
  expect(await again.join({ resumeLeaseId: lease.leaseId })).toMatchObject({ leaseId: lease.leaseId, resumed: true });
  const { offset } = await again.value<{ offset: number }>('upload.begin', begin);
  expect(offset).toBe(half);
  await again.sendChunks(begin.contributionId, bytes, offset);
  const receipt = await again.value<Receipt>('upload.finish', { contributionId: begin.contributionId });
  // Killed before anybody could have waited for the fold.
  await startAgain();

  const version = await vi.waitFor(
    async () => {
      const { versions, contributions } = await stateOf(url);
      const newest = versions.at(-1)!;
      expect(contributionsIn(newest.version, contributions)).toMatchObject([{ contributionId: begin.contributionId }]);
      return newest;
    },
    { timeout: 10_000 },
  );
  const last = await TestClient.connect(url, first.keys);
  await last.join({ resumeLeaseId: lease.leaseId });
  expect(await last.value('upload.begin', begin)).toEqual({ offset: begin.bytes });
  expect(await last.value('upload.finish', { contributionId: begin.contributionId })).toEqual({
    ...receipt,
    repeated: true,
  });
  expect((await stateOf(url)).versions.at(-1)!.sha256).toBe(version.sha256);
  await server.end('SIGKILL');
  expect(await collect(verifyDataDir(campaign.dataDir))).toMatchObject([
    { campaignId: 'test', contributions: 1, pending: 0, versions: 2 },
  ]);
}, 180_000);
