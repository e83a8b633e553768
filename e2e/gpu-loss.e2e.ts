/** A GPU that goes away in the middle of training: the run goes on from its checkpoint, on the GPU that comes back. */
import { chromium, expect, test } from '@playwright/test';
import { browserFlags, findBrowser } from '../scripts/find-browser.mjs';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { donate, statusOf, waitForMerge, waitForStep } from './volunteer-page.ts';

let server: ServerProcess;
test.afterEach(() => server.dispose());

test('a crashed GPU process costs the steps since the last checkpoint, and not the run', async () => {
  server = await startServerProcess({ records: 8, shards: 1, heldOut: 8, epochs: 12, batchSize: 2 });
  const browser = await chromium.launch({
    executablePath: await findBrowser(),
    args: browserFlags({ webgpu: true }),
  });
  try {
    const page = await browser.newPage();
    await donate(page, `${server.url}/c/e2e`, 'webgpu');
    await waitForStep(page, 9);
    const before = (await statusOf(page))!;
    expect(before.step).toBeLessThan(before.steps);
    const session = await browser.newBrowserCDPSession();
    // Answers never: the process that should is gone.
    void session.send('Browser.crashGpuProcess').catch(() => undefined);
    await expect(page.getByText(/The GPU stopped working/)).toBeVisible({ timeout: 60_000 });
    await waitForMerge(page);
    const [contribution] = (await server.state()).contributions;
    expect(contribution).toMatchObject({ foldedVersion: 1 });
    await expect(page.getByTestId('backend')).toContainText('WebGPU');
  } finally {
    await browser.close();
  }
});
