/** Terms that a file sets and an organiser changes, in both stores: what was changed last holds, over restarts too. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CampaignConfig } from '@oneround/fl-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { contributeTo, joinLedger } from '../testing/ledger-volunteer.ts';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { seededDelta } from '../testing/test-client.ts';
import { Ledger } from './ledger.ts';

let postgres: TestPostgres;
let campaign: TestCampaign;
let databaseUrl: string;
let ledger: Ledger;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());
beforeEach(async () => {
  campaign = makeTestCampaign({ adapter: smallAdapter });
  databaseUrl = await postgres.createDatabase();
});
afterEach(async () => {
  await ledger.close();
  campaign.remove();
});

const onFiles = () => Ledger.open({ dataDir: campaign.dataDir });
const onPostgres = () => Ledger.open({ dataDir: join(campaign.folder, 'copies'), databaseUrl });

function rewrite(changes: (config: CampaignConfig) => Partial<CampaignConfig>): void {
  const config = JSON.parse(readFileSync(campaign.file, 'utf8')) as CampaignConfig;
  writeFileSync(campaign.file, JSON.stringify({ ...config, ...changes(config) }));
}

const writeTerms = (terms: Partial<CampaignConfig['terms']>) =>
  rewrite((config) => ({ terms: { ...config.terms, ...terms } }));

describe.each([
  ['files', onFiles],
  ['Postgres', onPostgres],
])('%s', (_name, open) => {
  it('what was changed last holds: an organiser’s terms over a restart, those of a changed file over them', async () => {
    ledger = await open();
    expect(await ledger.addCampaign(campaign.file)).toMatchObject({ change: 'added', status: 'open', termsOf: 'file' });
    const { value, changes } = await ledger.changeTerms('test', { maxPerClient: 1, closeAt: { contributions: 9 } });
    expect(value).toMatchObject({ termsOf: 'organiser', terms: { maxPerClient: 1, closeAt: { contributions: 9 } } });
    expect(changes).toMatchObject([
      { type: 'log', entry: { message: 'the terms have changed: maxPerClient, closeAt' } },
    ]);
    expect((await ledger.changeTerms('test', { maxPerClient: 1 })).changes).toEqual([]);

    await ledger.close();
    ledger = await open();
    expect(await ledger.addCampaign(campaign.file)).toMatchObject({ change: 'unchanged', ...value });
    const { keys } = await joinLedger(ledger);
    await expect(joinLedger(ledger, { keys })).rejects.toMatchObject({ code: 'quota_reached' });

    writeTerms({ maxPerClient: 2 });
    const added = await ledger.addCampaign(campaign.file);
    expect(added).toMatchObject({ change: 'changed', termsOf: 'file', terms: { maxPerClient: 2, closeAt: {} } });
    await joinLedger(ledger, { keys });
    expect((await ledger.state('test')).log.map(({ message }) => message)).toContain(
      'the terms have changed: maxPerClient, closeAt',
    );
    expect(await ledger.terms('test')).toEqual({ terms: added.terms, termsOf: 'file' });
  });

  it('takes a limit away, and says so to nobody when the file’s terms hold again', async () => {
    ledger = await open();
    writeTerms({ maxPerClient: 1, private: true });
    await ledger.addCampaign(campaign.file);
    const { terms } = (await ledger.changeTerms('test', { maxPerClient: null, private: false })).value;
    expect(terms).not.toHaveProperty('maxPerClient');
    await joinLedger(ledger);
    expect((await ledger.changeTerms('test', { maxPerClient: 1, private: true })).value.termsOf).toBe('file');
  });

  it('replaces a campaign that nobody contributed to, and none that somebody did', async () => {
    ledger = await open();
    await ledger.addCampaign(campaign.file);
    await ledger.changeTerms('test', { maxPerClient: 1 });
    rewrite(() => ({ upload: { codec: 'int8', maxNorm: 100 } }));
    expect(await ledger.addCampaign(campaign.file)).toMatchObject({ change: 'replaced', termsOf: 'file' });
    expect(ledger.definition('test').manifest.upload.codec).toBe('int8');
    expect(await ledger.catchUp()).toMatchObject({ gone: ['test'], opened: ['test'] });
    const { size } = ledger.definition('test').manifest.layout;
    await contributeTo(ledger, await joinLedger(ledger), seededDelta(size, 1));
    rewrite(() => ({ upload: { codec: 'f32', maxNorm: 100 } }));
    await expect(ledger.addCampaign(campaign.file)).rejects.toMatchObject({ code: 'campaign_started' });
    expect(ledger.definition('test').manifest.upload.codec).toBe('int8');
  });
});

it('lets no change of terms keep a round from ending', async () => {
  campaign.remove();
  campaign = makeTestCampaign({
    adapter: smallAdapter,
    rounds: { count: 2, contributions: 6, optimiser: { kind: 'fed-avg', learningRate: 1 } },
    terms: { draft: false, private: false, clientsPerShard: 2, closeAt: {} },
  });
  ledger = await onFiles();
  await ledger.addCampaign(campaign.file);
  await expect(ledger.changeTerms('test', { clientsPerShard: 1 })).rejects.toThrow(/would never end/);
  expect((await ledger.terms('test')).terms.clientsPerShard).toBe(2);
  await expect(ledger.changeTerms('nobody', {})).rejects.toMatchObject({ code: 'unknown_campaign' });
});

it('another server on the same Postgres has new terms at once, and new words when it looks', async () => {
  ledger = await onPostgres();
  await ledger.addCampaign(campaign.file);
  const other = await Ledger.open({ dataDir: join(campaign.folder, 'other'), databaseUrl });
  try {
    await ledger.changeTerms('test', { private: true });
    await expect(joinLedger(other)).rejects.toMatchObject({ code: 'invite_needed' });
    rewrite(() => ({ name: 'In other words' }));
    expect(await ledger.addCampaign(campaign.file)).toMatchObject({ change: 'changed', termsOf: 'organiser' });
    expect(ledger.manifests()).toMatchObject([{ name: 'In other words' }]);
    expect(await other.catchUp()).toMatchObject({ gone: [], opened: [] });
    expect(other.manifests()).toMatchObject([{ name: 'In other words' }]);
  } finally {
    await other.close();
  }
});
