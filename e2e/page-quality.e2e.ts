/** What a visitor feels: a second visit that downloads nothing, readable failures, axe. */
import { chromium, expect, test } from '@playwright/test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browserFlags, findBrowser } from '../scripts/find-browser.mjs';
import { audit } from './audit.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { donate, statusOf, waitForMerge, waitForStep } from './volunteer-page.ts';

let server: ServerProcess;
test.afterEach(() => server.dispose());

test('a second visit downloads no model bytes', async () => {
  server = await startServerProcess({ records: 48, shards: 2, heldOut: 24, epochs: 2, batchSize: 8 });
  const profile = await mkdtemp(join(tmpdir(), 'oneround-profile-'));
  const modelBytes: number[] = [];
  try {
    for (let visit = 0; visit < 2; visit++) {
      const context = await chromium.launchPersistentContext(profile, {
        executablePath: await findBrowser(),
        args: browserFlags({ webgpu: false }),
      });
      const page = await context.newPage();
      await donate(page, `${server.url}/c/e2e`, 'wasm');
      await waitForMerge(page);
      modelBytes.push((await statusOf(page))!.bytesDown);
      await context.close();
    }
  } finally {
    await rm(profile, { recursive: true, force: true });
  }
  const manifest = await (await fetch(`${server.url}/v1/campaigns/e2e`)).json();
  console.log(`model and data bytes: first visit ${modelBytes[0]}, second visit ${modelBytes[1]}`);
  expect(modelBytes[0]).toBeGreaterThanOrEqual(manifest.model.bytes);
  // The second visit fetches its own data shard, and nothing of the model.
  expect(modelBytes[1]).toBeLessThan(20_000);
});

test('a model shard that arrives corrupted is fetched again once, then refused in words', async ({ page }) => {
  server = await startServerProcess({ records: 48, shards: 2, heldOut: 24, epochs: 2, batchSize: 8 });
  const manifest = await (await fetch(`${server.url}/v1/campaigns/e2e`)).json();
  const shard = `**/v1/files/${manifest.model.weights[0].sha256}`;
  let served = 0;
  await page.context().route(shard, async (route) => {
    served++;
    const response = await route.fetch();
    const body = await response.body();
    body[body.length - 1]! ^= 1;
    await route.fulfill({ response, body });
  });
  await donate(page, `${server.url}/c/e2e`, 'wasm');
  await expect(page.getByTestId('refusal')).toContainText(/checksum|damaged|corrupt/i);
  expect(served).toBe(2);
});

test('without WebGPU the page says so and trains on WASM', async ({ page }) => {
  server = await startServerProcess({ records: 48, shards: 2, heldOut: 24, epochs: 1, batchSize: 8 });
  await page.goto(`${server.url}/c/e2e`);
  await expect(page.getByTestId('backend')).toContainText(/WASM/);
  await page.getByTestId('donate').click();
  await waitForMerge(page);
});

test('an unknown campaign and an absent server are said in words', async ({ page }) => {
  server = await startServerProcess({ records: 48, shards: 2, heldOut: 24, epochs: 1, batchSize: 8 });
  await page.goto(`${server.url}/c/nowhere`);
  await expect(page.getByRole('main')).toContainText(/no campaign|unknown campaign|not found/i);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing on any page, ${colorScheme}, and nothing scrolls sideways at 360 px`, async ({ browser }) => {
    server = await startServerProcess({ records: 48, shards: 2, heldOut: 24, epochs: 6, batchSize: 8 });
    const context = await browser.newContext({
      colorScheme,
      reducedMotion: 'reduce',
      viewport: { width: 360, height: 740 },
    });
    const page = await context.newPage();
    const campaignUrl = `${server.url}/c/e2e`;
    await page.goto(server.url);
    await expect(page.getByRole('main')).toBeVisible();
    await audit(page);
    await page.goto(`${campaignUrl}?backend=wasm`);
    await page.getByTestId('donate').waitFor();
    await audit(page);
    // By keyboard alone.
    await page.getByTestId('donate').focus();
    await page.keyboard.press('Enter');
    await waitForStep(page, 1);
    await audit(page);
    await waitForMerge(page);
    await audit(page);
    await page.goto(`${campaignUrl}/live`);
    await expect(page.getByTestId('merged-count')).toContainText('1');
    await audit(page);
    await page.goto(`${campaignUrl}/play?backend=wasm`);
    await page.getByTestId('sampling').click();
    await page.getByTestId('prompt').fill('It was');
    await audit(page);
    await page.getByTestId('generate').click();
    await expect(page.getByTestId('sample')).toHaveAttribute('aria-busy', 'false', { timeout: 120_000 });
    await audit(page);
  });
}
