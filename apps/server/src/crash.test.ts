/** SIGKILL at bad moments: nothing acknowledged is lost, and an upload goes on from its acknowledged offset. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { encodeDelta, type CampaignState, type Receipt } from '@oneround/fl-core';
import { afterEach, expect, it, vi } from 'vitest';
import { verifyDataDir } from './ledger/index.ts';
import { makeTestCampaign, type TestCampaign } from './testing/test-campaign.ts';
import { seededDelta, TestClient } from './testing/test-client.ts';

const program = fileURLToPath(new URL('./testing/serve.ts', import.meta.url));
let campaign: TestCampaign;
let child: ChildProcess;

afterEach(async () => {
  await kill();
  campaign.remove();
});

async function serve(port: number): Promise<string> {
  child = spawn(process.execPath, ['--import', 'tsx', program, campaign.file, campaign.dataDir, String(port)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  await vi.waitFor(async () => expect((await fetch(`${url}/readyz`)).ok).toBe(true), {
    timeout: 30_000,
    interval: 100,
  });
  return url;
}

async function kill(): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

const stateOf = async (url: string) => (await (await fetch(`${url}/v1/campaigns/test/state`)).json()) as CampaignState;

it('killed in the middle of an upload and right after an acknowledgement', async () => {
  campaign = makeTestCampaign();
  const port = await freePort();
  const url = await serve(port);
  const first = await TestClient.connect(url);
  const lease = await first.join();
  const { layout, upload } = first.manifest;
  const bytes = encodeDelta(seededDelta(layout.size, 1), upload.codec);
  const begin = await first.beginMessage(lease, bytes);
  await first.value('upload.begin', begin);
  const half = await first.sendChunks(begin.contributionId, bytes, 0, upload.chunkBytes);
  await kill();
  await serve(port);

  const again = await TestClient.connect(url, first.keys);
  expect(await again.join({ resumeLeaseId: lease.leaseId })).toMatchObject({ leaseId: lease.leaseId, resumed: true });
  const { offset } = await again.value<{ offset: number }>('upload.begin', begin);
  expect(offset).toBe(half);
  await again.sendChunks(begin.contributionId, bytes, offset);
  const receipt = await again.value<Receipt>('upload.finish', { contributionId: begin.contributionId });
  // Killed before anybody could have waited for the fold.
  await kill();
  await serve(port);

  const version = await vi.waitFor(
    async () => {
      const newest = (await stateOf(url)).versions.at(-1)!;
      expect(newest.contributionIds).toEqual([begin.contributionId]);
      return newest;
    },
    { timeout: 10_000 },
  );
  const last = await TestClient.connect(url, first.keys);
  await last.join({ resumeLeaseId: lease.leaseId });
  expect(await last.value('upload.finish', { contributionId: begin.contributionId })).toEqual({
    ...receipt,
    repeated: true,
  });
  expect((await stateOf(url)).versions.at(-1)!.sha256).toBe(version.sha256);
  await kill();
  for await (const verified of verifyDataDir(campaign.dataDir)) {
    expect(verified).toMatchObject({ campaignId: 'test', contributions: 1, pending: 0, versions: 2 });
  }
});
