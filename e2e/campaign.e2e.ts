/** The main job: volunteers on WebGPU and WASM finish a campaign together, whatever happens to their tabs. */
import { createHash } from 'node:crypto';
import { chromium, expect, test } from '@playwright/test';
import { browserFlags, findBrowser } from '../scripts/find-browser.mjs';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { donate, statusOf, waitForMerge, waitForStep } from './volunteer-page.ts';

let server: ServerProcess;
test.afterEach(() => server.dispose());

test('three clients finish: one on WebGPU, one reloads and resumes, one replaces a closed tab', async ({ browser }) => {
  server = await startServerProcess({ records: 12, shards: 3, heldOut: 26, epochs: 16, batchSize: 2, leaseMs: 5_000 });
  const campaignUrl = `${server.url}/c/e2e`;

  const dashboard = await (await browser.newContext()).newPage();
  await dashboard.goto(`${campaignUrl}/live`);
  await expect(dashboard.getByTestId('merged-count')).toContainText('0');

  const gpuBrowser = await chromium.launch({
    executablePath: await findBrowser(),
    args: browserFlags({ webgpu: true }),
  });
  try {
    const onWebGpu = await gpuBrowser.newPage();
    await donate(onWebGpu, campaignUrl, 'webgpu');
    await waitForStep(onWebGpu, 1);
    await expect(onWebGpu.getByTestId('backend')).toContainText('WebGPU');

    const reloading = await (await browser.newContext()).newPage();
    await donate(reloading, campaignUrl, 'wasm', 'eco');
    await waitForStep(reloading, 2);
    await reloading.getByTestId('pause').click();
    await expect.poll(async () => (await statusOf(reloading))?.phase).toBe('paused');

    const closing = await (await browser.newContext()).newPage();
    await donate(closing, campaignUrl, 'wasm', 'eco');
    await waitForStep(closing, 2);
    await closing.getByTestId('pause').click();
    await expect.poll(async () => (await statusOf(closing))?.phase).toBe('paused');
    await expect(dashboard.getByTestId('client-row')).toHaveCount(3);
    const before = await server.state();
    expect(before.shards.leased + before.shards.contributed).toBe(3);
    const lost = before.clients.at(-1)!;
    await closing.close();

    // The page that reloads goes on from where it was: its own lease, its own step.
    const pausedAt = (await statusOf(reloading))!.step;
    await reloading.reload();
    const resume = reloading.getByTestId('resume').or(reloading.getByTestId('result'));
    await resume.first().waitFor();
    if (await reloading.getByTestId('resume').isVisible()) await reloading.getByTestId('resume').click();
    await waitForStep(reloading, pausedAt);
    await waitForMerge(reloading);

    // The closed tab's lease lapses and somebody else gets its shard.
    await expect
      .poll(async () => (await server.state()).clients.find((row) => row.leaseId === lost.leaseId)?.phase)
      .toBe('gone');
    const replacement = await (await browser.newContext()).newPage();
    await donate(replacement, campaignUrl, 'wasm');
    await waitForMerge(replacement);
    await waitForMerge(onWebGpu);

    await expect.poll(async () => (await server.state()).totals.merged).toBe(3);
    await expect
      .poll(async () => (await server.state()).versions.every((version) => version.evaluation), { timeout: 60_000 })
      .toBe(true);
    const state = await server.state();
    const shards = state.contributions.map((contribution) => contribution.shardIndex);
    expect(shards.toSorted()).toEqual([0, 1, 2]);
    expect(state.contributions.find((c) => c.shardIndex === lost.shardIndex)!.clientId).not.toBe(lost.clientId);
    expect(state.versions.at(-1)!.evaluation!.loss).toBeLessThan(state.versions[0]!.evaluation!.loss);

    // What leaves the system is what the dashboard says it is.
    await expect(dashboard.getByTestId('merged-count')).toContainText('3');
    const adapter = await fetch(`${server.url}/v1/campaigns/e2e/versions/latest/adapter_model.safetensors`);
    const hash = createHash('sha256')
      .update(new Uint8Array(await adapter.arrayBuffer()))
      .digest('hex');
    expect(hash).toBe(state.versions.at(-1)!.exportSha256);
    await expect(dashboard.getByTestId('export-sha256')).toHaveAttribute('data-sha256', hash);
  } finally {
    await gpuBrowser.close();
  }
});

test('a server killed in the middle of it loses nothing: clients reconnect and finish', async ({ browser }) => {
  server = await startServerProcess({ records: 48, shards: 2, heldOut: 24, epochs: 10, batchSize: 8 });
  const campaignUrl = `${server.url}/c/e2e`;
  const first = await (await browser.newContext()).newPage();
  await donate(first, campaignUrl, 'wasm');
  await waitForMerge(first);
  const acknowledged = (await server.state()).contributions;

  const second = await (await browser.newContext()).newPage();
  await donate(second, campaignUrl, 'wasm');
  await waitForStep(second, 1);
  await server.kill();
  await second.waitForTimeout(1500);
  await server.restart();
  await waitForMerge(second);

  const state = await server.state();
  expect(state.contributions).toHaveLength(2);
  expect(state.contributions[0]).toMatchObject({
    contributionId: acknowledged[0]!.contributionId,
    sequence: 1,
    foldedVersion: 1,
  });
});
