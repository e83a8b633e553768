/** What a volunteer and an observer see of a private campaign from its invite link to its end. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@playwright/test';
import { audit } from './audit.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { statusOf, waitForMerge } from './volunteer-page.ts';

const program = resolve(import.meta.dirname, '../apps/server/bin/oneround.mjs');
let server: ServerProcess;
test.afterEach(() => server.dispose());

test('an invite opens a private campaign; pausing, withdrawing and closing it are seen', async ({ page, context }) => {
  test.setTimeout(240_000);
  server = await startServerProcess({
    ...{ records: 24, shards: 1, heldOut: 8, epochs: 1, batchSize: 8 },
    terms: { private: true },
  });
  const made = await promisify(execFile)(process.execPath, [program, 'admin-token', '--data', server.dataDir]);
  const admin = async (path: string): Promise<Record<string, unknown>> => {
    const headers = { authorization: `Bearer ${made.stdout.trim()}` };
    const response = await fetch(`${server.url}/v1/admin${path}`, { method: 'POST', headers });
    expect(response.status).toBe(200);
    return (await response.json()) as Record<string, unknown>;
  };
  await page.goto(`${server.url}/`);
  await expect(page.getByText('This server has no campaign yet.')).toBeVisible();

  await admin('/campaigns/e2e/pause');
  const { token } = await admin('/campaigns/e2e/invites');
  await page.goto(`${server.url}/c/e2e?backend=wasm#invite=${String(token)}`);
  await expect(page.getByTestId('campaign-status')).toContainText('This campaign is paused.');
  await audit(page);
  await page.getByTestId('donate').click();
  await expect.poll(async () => (await statusOf(page))?.phase, { timeout: 60_000 }).toBe('waiting');
  await admin('/campaigns/e2e/open');
  await waitForMerge(page);
  // Nothing is left for it now, and it does not wait for more.
  await page.reload();
  await page.getByTestId('donate').click();
  await expect(page.getByRole('heading', { name: 'No shard is left to train' })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByTestId('refusal')).toContainText('Every shard of this campaign has its contribution.');
  await audit(page);
  await page.getByRole('button', { name: 'Back to the campaign' }).click();
  await expect(page.getByTestId('donate')).toBeEnabled();

  const dashboard = await context.newPage();
  await dashboard.goto(`${server.url}/c/e2e/live`);
  const [contribution] = (await server.state()).contributions;
  await admin(`/contributions/${contribution!.contributionId}/withdraw`);
  await expect(dashboard.getByTestId('client-row')).toContainText('withdrawn');
  await admin('/campaigns/e2e/close');
  await expect(dashboard.getByTestId('status')).toContainText('closed', { timeout: 60_000 });
  await expect(dashboard.getByRole('link', { name: 'Donate compute' })).toHaveCount(0);
  await audit(dashboard);
  await dashboard.goto(`${server.url}/c/e2e`);
  await expect(dashboard.getByTestId('campaign-status')).toContainText('This campaign is over.');
  await expect(dashboard.getByTestId('donate')).toBeDisabled();
  await audit(dashboard);
});
