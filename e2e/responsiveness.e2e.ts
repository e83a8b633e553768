/** What a visitor feels of the training: nothing. Measured alone (playwright.config.ts). */
import { expect, test } from '@playwright/test';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { donate, statusOf, waitForStep } from './volunteer-page.ts';

let server: ServerProcess;
test.afterEach(() => server.dispose());

test('the page never blocks: total blocking time under 5 % of the training time', async ({ page }) => {
  server = await startServerProcess({ records: 64, shards: 1, heldOut: 26, epochs: 8, batchSize: 8 });
  await page.addInitScript(() => {
    const tasks: number[] = [];
    Object.assign(globalThis, { longTasks: tasks });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) tasks.push(entry.duration);
    }).observe({ type: 'longtask', buffered: true });
  });
  await donate(page, `${server.url}/c/e2e`, 'wasm');
  await waitForStep(page, 1);
  const started = Date.now();
  await page.evaluate(() => void ((globalThis as unknown as { longTasks: number[] }).longTasks.length = 0));
  await expect.poll(async () => (await statusOf(page))?.phase, { timeout: 180_000 }).not.toBe('training');
  const trainingMs = Date.now() - started;
  const tasks = await page.evaluate(() => (globalThis as unknown as { longTasks: number[] }).longTasks);
  const blockingMs = tasks.reduce((sum, duration) => sum + Math.max(0, duration - 50), 0);
  console.log(`total blocking time ${blockingMs.toFixed(0)} ms in ${trainingMs} ms of training`);
  expect(trainingMs).toBeGreaterThan(3000);
  expect(blockingMs).toBeLessThan(0.05 * trainingMs);
});
