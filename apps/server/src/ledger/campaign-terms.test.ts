/** Terms that a file sets and an organiser changes, in both stores: what was changed last holds, over restarts too. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeDelta, type CampaignConfig, type EvaluationResult } from '@oneround/fl-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { definitionHash, servedFiles, type CampaignDefinition } from '../campaign/index.ts';
import { beginOf, contributeTo, joinLedger } from '../testing/ledger-volunteer.ts';
import { queryOnce, startPostgres, type TestPostgres } from '../testing/postgres.ts';
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

const blobFiles = async () => readdirSync(join(campaign.dataDir, 'blobs'));
const blobRows = async () => (await queryOnce(databaseUrl, 'select sha256 from blobs')).map(({ sha256 }) => sha256);

function rewrite(changes: (config: CampaignConfig) => Partial<CampaignConfig>): void {
  const config = JSON.parse(readFileSync(campaign.file, 'utf8')) as CampaignConfig;
  writeFileSync(campaign.file, JSON.stringify({ ...config, ...changes(config) }));
}

const writeTerms = (terms: Partial<CampaignConfig['terms']>) =>
  rewrite((config) => ({ terms: { ...config.terms, ...terms } }));

describe.each([
  ['files', onFiles, blobFiles],
  ['Postgres', onPostgres, blobRows],
])('%s', (_name, open, blobs) => {
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

  it('keeps a campaign in place of which another one could not be stored', async () => {
    ledger = await open();
    await ledger.addCampaign(campaign.file);
    const { scoredAs } = current();
    expect(await serve({ heldOutSha256: '0'.repeat(64) })).toBeNull();
    expect(ledger.serves('test', scoredAs)).toBe(true);
    await joinLedger(ledger);
    expect(await ledger.addCampaign(campaign.file)).toMatchObject({ change: 'unchanged' });
  });

  it('keeps nothing of a campaign that was replaced: no blob, no upload, no score that is still to come', async () => {
    ledger = await open();
    await ledger.addCampaign(campaign.file);
    await vi.waitUntil(async () => (await ledger.catchUp()).leads, { timeout: 20_000 });
    const { definition: replaced, scoredAs } = current();
    const volunteer = await joinLedger(ledger);
    const bytes = encodeDelta(seededDelta(replaced.manifest.layout.size, 1), 'f32');
    const begin = await beginOf(ledger, volunteer, bytes);
    await ledger.beginUpload(begin);
    await ledger.uploadChunk(begin.contributionId, 0, bytes.subarray(0, 1000));
    const first = replaced.shards[0]!.sha256;
    expect(await blobs()).toContain(first);

    rewrite(({ data }) => ({ data: { ...data, shards: 2 } }));
    await ledger.addCampaign(campaign.file);
    const kept = current();
    expect(await ledger.servedFile(first)).toBeNull();
    expect(await blobs()).not.toContain(first);
    for (const { sha256 } of servedFiles(kept.definition)) expect(await blobs()).toContain(sha256);
    await expect(ledger.uploadChunk(begin.contributionId, 1000, bytes.subarray(1000))).rejects.toMatchObject({
      code: 'unknown_upload',
    });
    const version = { kind: 'version', version: 0 } as const;
    const result: EvaluationResult = { loss: 1, accuracy: 0.5, examples: 8, domains: {} };
    expect(await ledger.recordEvaluation('test', version, result, scoredAs)).toBeNull();
    expect(await ledger.unevaluated('test')).toEqual([version]);
    expect(await ledger.recordEvaluation('test', version, result, kept.scoredAs)).not.toBeNull();
    expect(await ledger.unevaluated('test')).toEqual([]);
    await ledger.deleteCampaign('test');
    expect(await ledger.recordEvaluation('test', version, result)).toBeNull();
  });

  it('serves as many shards as a campaign file may ask for', async () => {
    ledger = await open();
    await ledger.addCampaign(campaign.file);
    const { manifest, shards } = current().definition;
    const shard = shards[0]!;
    const many = Array.from({ length: 10_000 }, (_, index) => ({ ...shard, index, path: `data/shard-${index}.jsonl` }));
    const served = await serve({ manifest: { ...manifest, id: 'many' }, shards: many });
    expect(served!.value).toMatchObject({ campaignId: 'many', change: 'added' });
  });
});

/** Serves the campaign "test" with these changes to its definition. */
async function serve(changes: Partial<CampaignDefinition>) {
  const { terms } = await ledger.terms('test');
  const definition = { ...current().definition, ...changes };
  return ledger.serveCampaign({ path: campaign.file, definition, terms, dataSets: [] });
}

function current() {
  const definition = ledger.definition('test');
  return { definition, scoredAs: definitionHash(definition) };
}

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

it('another server on the same Postgres grants nothing of a campaign that was replaced, and goes on when it has looked', async () => {
  ledger = await onPostgres();
  await ledger.addCampaign(campaign.file);
  const other = await Ledger.open({ dataDir: join(campaign.folder, 'other'), databaseUrl });
  try {
    rewrite(({ data }) => ({ data: { ...data, shards: 2 } }));
    expect(await ledger.addCampaign(campaign.file)).toMatchObject({ change: 'replaced' });
    await expect(joinLedger(other)).rejects.toMatchObject({ code: 'campaign_not_open' });
    expect(await other.catchUp()).toMatchObject({ gone: ['test'], opened: ['test'] });
    expect((await joinLedger(other)).lease.shard).toMatchObject({ sha256: current().definition.shards[0]!.sha256 });
  } finally {
    await other.close();
  }
});
