/** The base model on its way to a device: broken connections, browsers without a store, full disks, deletion. */
import { expect, test, type Page } from '@playwright/test';
import type { Manifest } from '@oneround/fl-core';
import { audit } from './audit.ts';
import { startBreakingRelay } from './breaking-relay.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { donate, statusOf, waitForStep } from './volunteer-page.ts';

const CUT_AFTER_BYTES = 600_000;

let server: ServerProcess;
let manifest: Manifest;
let campaignUrl: string;

test.beforeAll(async () => {
  server = await startServerProcess({ records: 48, shards: 12, heldOut: 24, epochs: 60, batchSize: 8 });
  campaignUrl = `${server.url}/c/e2e`;
  manifest = (await (await fetch(`${server.url}/v1/campaigns/e2e`)).json()) as Manifest;
});
test.afterAll(() => server.dispose());

test('a download that breaks off goes on from the byte where it broke', async ({ page }) => {
  const [weights] = manifest.model.weights;
  const relay = await startBreakingRelay(server.url, `/v1/files/${weights!.sha256}`);
  try {
    await page.goto(`${relay.url}/c/e2e?backend=wasm`);
    relay.breakOff(CUT_AFTER_BYTES, 1);
    await page.getByTestId('donate').click();
    await expect(page.getByTestId('phase').locator('..')).toContainText(/connection lost at [\d.]+ [KM]B of 1\.7 MB/);
    await audit(page);
    relay.heal();
    await waitForStep(page, 1);
  } finally {
    relay.close();
  }
  expect(relay.ranges[0]).toBeNull();
  const start = Number(/^bytes=(\d+)-$/.exec(relay.ranges.at(-1)!)![1]);
  // What was on its way inside the browser when the connection broke is lost, and no more.
  expect(start).toBeGreaterThan(CUT_AFTER_BYTES / 2);
  const headers = 4_000;
  expect(relay.bytes()).toBeLessThan(CUT_AFTER_BYTES + weights!.bytes - start + headers);
});

/** How a browser lacks a store. */
const withoutOpfs = `Object.defineProperty(StorageManager.prototype, 'getDirectory', { value: undefined });`;
const withoutCaches = `for (let scope = globalThis; scope; scope = Object.getPrototypeOf(scope)) delete scope.caches;`;
const refusedOpfs = `StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('', 'SecurityError'));`;

for (const { name, lack, storage, requestsOnSecondVisit } of [
  { name: 'with OPFS', lack: '', storage: /private file system/, requestsOnSecondVisit: 0 },
  { name: 'without OPFS, in the Cache API', lack: withoutOpfs, storage: /cache storage/, requestsOnSecondVisit: 0 },
  { name: 'with OPFS refused, in the Cache API', lack: refusedOpfs, storage: /cache/, requestsOnSecondVisit: 0 },
  {
    name: 'without both, in memory',
    lack: withoutOpfs + withoutCaches,
    storage: /this visit only/,
    requestsOnSecondVisit: 4,
  },
]) {
  test(`the model is kept ${name}`, async ({ page }) => {
    await takeAway(page, lack);
    const requests = await countModelRequests(page);
    await donate(page, campaignUrl, 'wasm');
    await waitForStep(page, 1);
    await expect(page.getByTestId('storage')).toContainText(storage);
    expect(requests.splice(0)).toHaveLength(4);

    // The reload goes on with the run: a second visit that needs the model.
    await page.reload();
    await expect.poll(async () => (await statusOf(page))?.phase).toBe('training');
    await expect(page.getByTestId('storage')).toContainText(storage);
    expect(requests).toHaveLength(requestsOnSecondVisit);
  });
}

test('a full device holds the model in memory, trains, and says so', async ({ page }) => {
  await page.goto(`${campaignUrl}?backend=wasm`);
  await page.getByTestId('donate').waitFor();
  const browser = await page.context().newCDPSession(page);
  await browser.send('Storage.overrideQuotaForOrigin', { origin: server.url, quotaSize: 1_000_000 });
  await page.getByTestId('donate').click();
  await waitForStep(page, 1);
  await expect(page.getByTestId('storage-full')).toContainText(/no room .* 1\.6 MB of it stay in memory/);
  await expect(page.getByTestId('storage')).toContainText('in part in memory');
  await audit(page);
  expect(await storedFiles(page)).not.toContain(manifest.model.weights[0]!.sha256);
});

test('deleting the model frees its space, and the next run downloads it again', async ({ page }) => {
  const requests = await countModelRequests(page);
  await donate(page, campaignUrl, 'wasm');
  await waitForStep(page, 1);
  page.on('dialog', (dialog) => void dialog.accept());
  await page.getByTestId('stop').click();
  const row = page.getByTestId('stored-model');
  await expect(row).toContainText('Model on this device: 1.7 MB, kept for next time');
  expect(await storedFiles(page)).toHaveLength(4);
  const before = await usage(page);

  // By keyboard alone.
  await row.getByRole('button', { name: 'Delete this model' }).focus();
  await page.keyboard.press('Enter');
  await expect(row.getByRole('status')).toHaveText('Deleted: 1.7 MB are free again.');
  await expect(row.getByRole('status')).toBeFocused();
  await expect(row.getByRole('button')).toHaveCount(0);
  await audit(page);
  expect(await storedFiles(page)).toEqual([]);
  expect(before - (await usage(page))).toBeGreaterThan(0.9 * manifest.model.bytes);

  requests.length = 0;
  await donate(page, campaignUrl, 'wasm');
  await waitForStep(page, 1);
  expect(requests).toHaveLength(4);
});

/** Takes a feature away from the page and from its worker, where an init script does not reach. */
async function takeAway(page: Page, lack: string): Promise<void> {
  await page.addInitScript(lack);
  // The trainer looks for a store long after it started: it first fetches its runtime and joins the campaign.
  page.on('worker', (worker) => void worker.evaluate(lack));
}

/** Collects the model files that are asked for from now on, by page and worker. */
async function countModelRequests(page: Page): Promise<string[]> {
  const { config, tokenizer, tokenizerConfig, weights } = manifest.model;
  const names = new Set([config, tokenizer, tokenizerConfig, ...weights].map(({ sha256 }) => sha256));
  const requests: string[] = [];
  await page.context().route('**/v1/files/*', async (route) => {
    const name = route.request().url().slice(-64);
    if (names.has(name)) requests.push(name);
    await route.continue();
  });
  return requests;
}

async function storedFiles(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle('model-files', { create: true });
    const names: string[] = [];
    for await (const name of folder.keys()) names.push(name);
    return names;
  });
}

async function usage(page: Page): Promise<number> {
  return page.evaluate(async () => (await navigator.storage.estimate()).usage ?? 0);
}
