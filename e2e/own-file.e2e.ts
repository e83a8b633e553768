/** A volunteer's own file: recognised, refused with its line, trained on, and kept over a reload - and never sent. */
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { statusOf, waitForMerge, waitForStep } from './volunteer-page.ts';

let server: ServerProcess;
test.afterEach(() => server.dispose());

const file = (name: string, text: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });
const header = 'instruction,input,output,source';
const row = (n: number) => `"Say ""${n}"",\ntwice.",,${n} ${n},web`;
const good = [header, ...Array.from({ length: 8 }, (_, n) => row(n)), 'Nothing.,,,web'].join('\n');

test('a file of one’s own is read, trained on, and stays here', async ({ page }) => {
  server = await startServerProcess({ records: 12, shards: 3, heldOut: 24, epochs: 8, batchSize: 4 });
  const sent: string[] = [];
  page.on('request', (request) => sent.push(request.postData() ?? ''));
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(payload.toString())));
  await page.goto(`${server.url}/c/e2e?backend=wasm&power=eco`);
  await page.getByText('A file of my own').click();
  const picker = page.locator('input[type=file]');
  const said = page.getByTestId('own-file');

  await picker.setInputFiles(file('notes.csv', `${good}\nSay,4\n`));
  await expect(said).toContainText('notes.csv cannot be used: line 19: 2 fields where the header names 4');
  await expect(page.getByTestId('donate')).toBeDisabled();
  await picker.setInputFiles(file('photo.png', 'PNG'));
  await expect(said).toContainText('must end in one of .jsonl');

  await picker.setInputFiles(file('notes.csv', good));
  await expect(said).toContainText('notes.csv was read as instructions (Alpaca): 8 examples.');
  await expect(said).toContainText('Rows with nothing to learn, left out: 1.');
  await expect(said).toContainText('Fields that are not used: source.');
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id }) => id)).toEqual([]);

  await page.getByTestId('donate').click();
  await waitForStep(page, 2);
  await page.getByTestId('pause').click();
  await expect.poll(async () => (await statusOf(page))?.phase).toBe('paused');
  const pausedAt = (await statusOf(page))!.step;
  await page.reload();
  await page.getByTestId('resume').click();
  await waitForStep(page, pausedAt);
  await waitForMerge(page);

  const [contribution] = (await server.state()).contributions;
  // Eight answers of five tokens: more than the campaign has, so they weigh as much as all of it.
  expect(contribution).toMatchObject({ shardIndex: null, examples: 8, labelTokens: 36 });
  expect(sent.length).toBeGreaterThan(5);
  expect(sent.filter((text) => text.includes('twice'))).toEqual([]);
});
