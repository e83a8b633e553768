/** A campaign of many rounds as a volunteer sees it: one press of the button, a contribution to each round. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@playwright/test';
import { audit } from './audit.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { waitForMerge } from './volunteer-page.ts';

const program = resolve(import.meta.dirname, '../apps/server/bin/oneround.mjs');
let server: ServerProcess;
test.afterEach(() => server.dispose());

test('the page says so when the campaign closes in the middle of a round', async ({ page }) => {
  test.setTimeout(240_000);
  server = await startServerProcess({
    ...{ records: 8, shards: 2, heldOut: 4, epochs: 1, batchSize: 8 },
    rounds: { count: 2, contributions: 2, optimiser: { kind: 'fed-avg', learningRate: 1 } },
  });
  const made = await promisify(execFile)(process.execPath, [program, 'admin-token', '--data', server.dataDir]);
  await page.goto(`${server.url}/c/e2e?backend=wasm&power=full`);
  await page.getByTestId('donate').click();
  await expect(page.getByTestId('phase')).toHaveText('Waiting for the next round', { timeout: 180_000 });
  const headers = { authorization: `Bearer ${made.stdout.trim()}` };
  await fetch(`${server.url}/v1/admin/campaigns/e2e/close`, { method: 'POST', headers });
  await expect(page.getByTestId('result')).toContainText('Kept as contribution #1, and in no version');
  await expect(page.getByTestId('phase')).toHaveText('Contributed, and in no version');
  await audit(page);
});

test('the page goes on from round to round, until the last', async ({ page }) => {
  test.setTimeout(240_000);
  const optimiser = { kind: 'fed-avg', learningRate: 1 } as const;
  server = await startServerProcess({
    ...{ records: 8, shards: 1, heldOut: 4, epochs: 1, batchSize: 8 },
    rounds: { count: 2, contributions: 1, optimiser },
  });
  await page.goto(`${server.url}/c/e2e?backend=wasm&power=full`);
  await expect(page.getByTestId('rounds')).toContainText('This campaign has 2 rounds.');
  await audit(page);
  await page.getByTestId('donate').click();
  expect(await waitForMerge(page)).toBe(2);
  await expect(page.getByTestId('round')).toContainText('Round 2 of 2');
  await audit(page);
  const { contributions, versions } = await server.state();
  expect(contributions.map(({ foldedVersion }) => foldedVersion)).toEqual([1, 2]);
  expect(versions).toHaveLength(3);
  await page.goto(`${server.url}/c/e2e/live`);
  await expect(page.getByTestId('round')).toHaveText('round 2 of 2: 1 of 1 contributions');
  await expect(page.getByTestId('status')).toContainText(/closing|closed/, { timeout: 60_000 });
});
