/** `oneround campaign add`, `files` and `terms`: on a data directory, and through the server that runs on it. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import SqliteDatabase from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Ledger, makeAdminToken } from '../ledger/index.ts';
import { startServer } from '../server.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';

const program = resolve(import.meta.dirname, '../../bin/oneround.mjs');

let campaign: TestCampaign;
let folder: string;

beforeEach(async () => {
  campaign = makeTestCampaign({ adapter: smallAdapter });
  folder = join(campaign.folder, 'campaigns');
  mkdirSync(join(folder, 'mine'), { recursive: true });
  for (const name of ['campaign.json', 'train.jsonl', 'heldout.jsonl']) {
    cpSync(join(campaign.folder, name), join(folder, 'mine', name));
  }
  await (await Ledger.open({ dataDir: campaign.dataDir })).close();
});
afterEach(() => campaign.remove());

const run = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  promisify(execFile)(process.execPath, [program, 'campaign', ...args], { env: { ...process.env, ...env } });

it('work on a data directory while no server runs', { timeout: 120_000 }, async () => {
  const here = ['--data', campaign.dataDir];
  expect(await run(['list', ...here])).toMatchObject({ stdout: '', stderr: 'There are no campaigns.\n' });
  const { stdout: added } = await run(['add', campaign.file, ...here]);
  expect(added).toMatch(/^test is added: open\.\ntrain\.jsonl: 24 examples as .*\nheldout\.jsonl: 8 examples as .*\n$/);
  expect((await run(['files', '--campaigns', folder, ...here])).stdout).toBe('mine  test\n');
  const again = await run(['add', 'mine', ...here], { ONEROUND_CAMPAIGNS: folder });
  expect(again.stdout).toMatch(/^test is served as it was: open\./);
  await expect(run(['add', 'mine', ...here])).rejects.toMatchObject({
    stderr: expect.stringMatching(/^oneround: There is no folder to add campaigns from; .*--campaigns/),
  });
  await expect(run(['terms', 'test', 'private', ...here])).rejects.toMatchObject({
    stderr: expect.stringContaining('private is no JSON; write changes as'),
  });
});

it('say why a campaign that is served as it was cannot be opened', { timeout: 120_000 }, async () => {
  const other = makeTestCampaign({ adapter: smallAdapter, id: 'other' });
  const ledger = await Ledger.open({ dataDir: campaign.dataDir });
  for (const { file } of [campaign, other]) await ledger.addCampaign(file);
  await ledger.close();
  other.remove();
  const sqlite = new SqliteDatabase(join(campaign.dataDir, 'ledger.sqlite'));
  sqlite.prepare(`update versions set sum_sha256 = 'damaged' where campaign_id = 'test'`).run();
  sqlite.close();
  const { stdout } = await run(['add', campaign.file, '--data', campaign.dataDir]);
  expect(stdout).toMatch(
    /^test is served as it was: open\.\nIt cannot be opened: campaign test: version 0: .* damaged /,
  );
});

it('go through the server that runs on it', { timeout: 120_000 }, async () => {
  const options = { host: '127.0.0.1', port: 0, dataDir: campaign.dataDir, logLevel: 'silent' } as const;
  const server = await startServer({ ...options, campaignFiles: [], campaignFolder: folder });
  try {
    const env = { ONEROUND_ADMIN_TOKEN: await makeAdminToken(campaign.dataDir), ONEROUND_SERVER: server.url };
    expect((await run(['files'], env)).stdout).toBe('mine  test\n');
    await expect(run(['add', campaign.file], env)).rejects.toMatchObject({
      stderr: expect.stringContaining('by its name in the campaign folder of that server'),
    });
    expect((await run(['add', 'mine'], env)).stdout).toMatch(/^test is added: open\.\n/);
    const { stdout, stderr } = await run(['terms', 'test', '{"private": true, "maxPerClient": 2}'], env);
    expect(JSON.parse(stdout)).toMatchObject({ private: true, maxPerClient: 2, clientsPerShard: 1 });
    expect(stderr).toBe('They were changed since the file of test was.\n');
    expect((await run(['terms', 'test', '{"private": false, "maxPerClient": null}'], env)).stderr).toBe('');
  } finally {
    await server.close();
  }
});
