/** A campaign whose volunteers train A as well as B, in a real browser: the server sums their products. */
import { readFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { donate, waitForMerge } from './volunteer-page.ts';

let server: ServerProcess;

test.beforeEach(async () => {
  server = await startServerProcess({ records: 24, shards: 1, heldOut: 24, epochs: 8, batchSize: 8, trainsA: true });
});

test.afterEach(() => server.dispose());

async function exported(version: number) {
  const response = await fetch(`${server.url}/v1/campaigns/e2e/versions/${version}/adapter_model.safetensors`);
  return readSafetensors(new Uint8Array(await response.arrayBuffer()));
}

test('a browser trains A and B, and the version it makes has both', async ({ page }) => {
  await donate(page, `${server.url}/c/e2e`, 'wasm');
  await waitForMerge(page);
  const after = await exported(1);
  expect(after.size).toBeGreaterThan(0);
  for (const [name, { values }] of after) expect(values.some(Boolean), name).toBe(true);
  await expect
    .poll(async () => (await server.state()).versions.filter(({ evaluation }) => evaluation).length, {
      timeout: 60_000,
    })
    .toBe(2);
  const [untrained, trained] = (await server.state()).versions.map(({ evaluation }) => evaluation!.loss);
  expect(trained).toBeLessThan(untrained!);

  await page.goto(`${server.url}/c/e2e/live`);
  const card = page.getByRole('region', { name: 'Adapter' });
  await expect(card).toContainText('sums whole updates');
  await expect(card.getByTestId('export-sha256')).toHaveCount(0);
  const download = page.waitForEvent('download');
  await card.getByRole('link', { name: 'adapter_model.safetensors' }).click();
  const file = readSafetensors(await readFile(await (await download).path()));
  expect([...file.keys()]).toEqual([...after.keys()]);
});
