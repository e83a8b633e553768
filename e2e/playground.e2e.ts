/** Writing with what was trained: any version, in a worker of the page, on the stored model. */
import { expect, test, type Page } from '@playwright/test';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { donate, waitForMerge } from './volunteer-page.ts';

let server: ServerProcess;
test.afterEach(() => server.dispose());

test('a volunteer tries what was merged, compares it with the base model, and stops a text', async ({ page }) => {
  server = await startServerProcess({ records: 48, shards: 2, heldOut: 24, epochs: 6, batchSize: 8 });
  await donate(page, `${server.url}/c/e2e`, 'wasm');
  await waitForMerge(page);
  const modelFiles: string[] = [];
  page.on('request', (request) => request.url().includes('/v1/files/') && modelFiles.push(request.url()));
  await page.getByRole('link', { name: 'Try what it learnt' }).click();

  await expect(page.getByTestId('version')).toHaveValue('newest');
  await expect(
    page.getByText(/The model is on this device; downloads this version’s adapter: [\d.]+ [KM]B/),
  ).toBeVisible();
  await page.getByTestId('prompt').fill('She had won the prize; and had good news. Mood?');
  const merged = await written(page, 1);
  expect(merged.text.length).toBeGreaterThan(0);
  expect(merged.heading).toContain('Version 1');
  await expect(page.getByTestId('announcement')).toContainText(merged.text.trim());

  await page.getByTestId('version').selectOption('base');
  await expect(page.getByText('The model is on this device; nothing is downloaded.')).toBeVisible();
  const base = await written(page, 2);
  expect(base.heading).toContain('Base model');
  expect(base.heading).toMatch(/\d+ tokens · [\d.]+ tok\/s · most likely tokens/);
  expect(base.text).not.toBe(merged.text);

  await page.getByTestId('sampling').click();
  await page.getByTestId('temperature').fill('1.5');
  await page.getByTestId('topK').fill('40');
  await page.getByTestId('seed').fill('7');
  await page.getByTestId('maxTokens').fill('20');
  const [drawn, again] = [await written(page, 3), await written(page, 4)];
  expect(drawn.heading).toContain('temperature 1.5, seed 7');
  expect(again.text).toBe(drawn.text);
  await page.getByTestId('seed').fill('8');
  expect((await written(page, 5)).text).not.toBe(drawn.text);

  await page.getByTestId('style').selectOption('chat');
  expect((await written(page, 6)).text).not.toBe('');

  await page.getByTestId('maxTokens').fill('240');
  await page.getByTestId('generate').click();
  await expect(page.getByTestId('generated').first()).not.toBeEmpty();
  await page.getByTestId('stop-generating').focus();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('sample').first()).toContainText('stopped');
  await expect(page.getByTestId('generate')).toBeFocused();
  expect(modelFiles).toEqual([]);

  // The browser refuses a setting out of range before anything runs.
  await page.getByTestId('topP').fill('2');
  await page.getByTestId('generate').click();
  await expect(page.getByTestId('sample')).toHaveCount(7);
});

test('a first visit downloads the model when asked to, and says what fails', async ({ page }) => {
  server = await startServerProcess({ records: 48, shards: 2, heldOut: 24, epochs: 1, batchSize: 8 });
  const modelFiles: string[] = [];
  page.on('request', (request) => request.url().includes('/v1/files/') && modelFiles.push(request.url()));
  await page.goto(`${server.url}/c/e2e/play?backend=wasm`);
  await expect(page.getByText(/Downloads the model first: 1\.\d MB, once\./)).toBeVisible();
  expect(modelFiles).toEqual([]);
  await page.getByTestId('prompt').fill('It was the best of times. '.repeat(200));
  await page.getByTestId('generate').click();
  await expect(page.getByRole('alert')).toContainText(/The prompt has \d+ tokens and the model takes 256 in all/);
  expect(modelFiles.length).toBeGreaterThan(3);
  await page.getByTestId('prompt').fill('It was');
  expect((await written(page, 2)).text).not.toBe('');
});

/** Presses the button by keyboard and waits for the `count`-th text of the visit. */
async function written(page: Page, count: number): Promise<{ heading: string; text: string }> {
  await page.getByTestId('generate').focus();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('sample')).toHaveCount(count);
  const sample = page.getByTestId('sample').first();
  await expect(sample).toHaveAttribute('aria-busy', 'false', { timeout: 120_000 });
  await expect(sample.getByRole('alert')).toHaveCount(0);
  return {
    heading: (await sample.locator('header').innerText()).replaceAll('\n', ' '),
    text: await sample.getByTestId('generated').innerText(),
  };
}
