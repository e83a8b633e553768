import { execFile } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Ledger } from '../ledger/index.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';

const program = resolve(import.meta.dirname, '../../bin/oneround.mjs');
const run = (...args: string[]) => promisify(execFile)(process.execPath, [program, ...args]);

let campaign: TestCampaign;

beforeEach(async () => {
  campaign = makeTestCampaign();
  const ledger = await Ledger.open({ dataDir: campaign.dataDir });
  await ledger.addCampaign(campaign.file);
  await ledger.close();
});
afterEach(() => campaign.remove());

describe('oneround restore', () => {
  it('says where the copy is that is not as recorded', { timeout: 60_000 }, async () => {
    const { dataDir, folder } = campaign;
    const [blob] = readdirSync(join(dataDir, 'blobs'));
    appendFileSync(join(dataDir, 'blobs', blob!), 'x');
    const copy = join(folder, 'restored');
    await expect(run('restore', dataDir, copy)).rejects.toMatchObject({
      stderr: expect.stringMatching(`The copy stays in ${copy}, for you to look at.`),
    });
    expect(existsSync(join(copy, 'ledger.sqlite'))).toBe(true);
  });
});

describe('oneround backup', () => {
  it('of a server on Postgres is sent to pg_dump', { timeout: 60_000 }, async () => {
    const { dataDir, folder } = campaign;
    rmSync(join(dataDir, 'ledger.sqlite'));
    await expect(run('backup', dataDir, join(folder, 'backup'))).rejects.toMatchObject({
      stderr: expect.stringContaining('is backed up with pg_dump'),
    });
  });
});
