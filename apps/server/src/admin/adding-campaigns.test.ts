/** Campaign files added to a running server by name: what may be named, what becomes of it, and that nobody waits meanwhile. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CampaignConfig, CampaignState } from '@oneround/fl-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeAdminToken } from '../ledger/index.ts';
import { startServer, type RunningServer, type ServerOptions } from '../server.ts';
import { queryOnce, startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { makeTestCampaign, smallAdapter } from '../testing/test-campaign.ts';
import { seededDelta, TestClient } from '../testing/test-client.ts';
import type { Organiser } from './organiser.ts';
import { remoteOrganiser } from './remote-organiser.ts';

const PATIENCE = { timeout: 30_000, interval: 50 };

let root: string;
let folder: string;
let servers: RunningServer[];
let clients: TestClient[];
let token: string;
let organiser: Organiser;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'oneround-adding-'));
  folder = join(root, 'campaigns');
  mkdirSync(folder);
  servers = [];
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client.close();
  for (const server of servers) await server.close();
  rmSync(root, { recursive: true, force: true });
});

/** A campaign "test" in the campaign folder, or elsewhere. */
function write(name: string, changes: Partial<CampaignConfig> = {}, where = folder): string {
  const campaign = makeTestCampaign({ adapter: smallAdapter, ...changes });
  const target = join(where, name);
  rmSync(target, { recursive: true, force: true });
  cpSync(campaign.folder, target, { recursive: true });
  campaign.remove();
  return join(target, 'campaign.json');
}

async function serve(changes: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const { dataDir = join(root, `data-${servers.length}`) } = changes;
  const server = await startServer({
    ...{ host: '127.0.0.1', port: 0, dataDir, campaignFiles: [], campaignFolder: folder, logLevel: 'silent' },
    ...changes,
  });
  servers.push(server);
  token = await makeAdminToken(dataDir, changes.databaseUrl);
  organiser = remoteOrganiser(server.url, token);
  return server;
}

async function connect({ url }: RunningServer): Promise<TestClient> {
  const client = await TestClient.connect(url);
  clients.push(client);
  return client;
}

async function add(body: string, { url } = servers[0]!): Promise<{ status: number; code: string; message: string }> {
  const response = await fetch(`${url}/v1/admin/campaigns`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body,
  });
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  return { status: response.status, ...error };
}

const addNamed = (name: unknown) => add(JSON.stringify({ name }));

const stateOf = async ({ url }: RunningServer) =>
  (await (await fetch(`${url}/v1/campaigns/test/state`)).json()) as CampaignState;

const rankAt = async ({ url }: RunningServer) =>
  ((await (await fetch(`${url}/v1/campaigns/test`)).json()) as { adapter: { rank: number } }).adapter.rank;

const isScored = async (server: RunningServer) => (await stateOf(server)).versions[0]?.evaluation;

describe('a running server', () => {
  it('serves a campaign that is added, at once: pages, files, leases, contributions, evaluation', async () => {
    const server = await serve();
    write('mine');
    expect(await organiser.campaignFiles()).toEqual([{ name: 'mine', campaignId: 'test', problem: null }]);
    const { dataSets, ...added } = await organiser.addCampaign('mine');
    expect(added).toMatchObject({ campaignId: 'test', change: 'added', status: 'open', termsOf: 'file' });
    expect(dataSets).toMatchObject([
      { path: 'train.jsonl', examples: 24 },
      { path: 'heldout.jsonl', examples: 8 },
    ]);
    const client = await connect(server);
    const lease = await client.join();
    for (const { sha256 } of [lease.shard!, ...client.manifest.model.weights]) {
      expect((await fetch(`${server.url}/v1/files/${sha256}`)).status).toBe(200);
    }
    await client.contribute(lease, seededDelta(client.manifest.layout.size, 1));
    await vi.waitUntil(async () => (await stateOf(server)).versions.length === 2, PATIENCE);
    await vi.waitUntil(() => isScored(server), PATIENCE);
    expect(await organiser.addCampaign('mine')).toMatchObject({ change: 'unchanged' });
    expect(await organiser.verify('test')).toMatchObject({ contributions: 1 });
  });

  it('serves a changed file in place of itself: words and terms, which observers hear of', async () => {
    const server = await serve();
    write('mine');
    await organiser.addCampaign('mine');
    const observer = await connect(server);
    await observer.value('watch', { campaignId: 'test' });
    const terms = { draft: false, private: true, clientsPerShard: 1, maxPerClient: 1, closeAt: {} };
    write('mine', { name: 'In other words', terms });
    expect(await organiser.addCampaign('mine')).toMatchObject({ change: 'changed', termsOf: 'file', terms });
    const manifest = (await (await fetch(`${server.url}/v1/campaigns/test`)).json()) as { name: string };
    expect(manifest.name).toBe('In other words');
    await expect(observer.join()).rejects.toThrow('invite_needed');
    const heard = () => observer.updates.flatMap(({ log }) => log.map(({ message }) => message));
    await vi.waitFor(() => expect(heard()).toContain('the terms have changed: private, maxPerClient'), PATIENCE);
  });

  it('changes terms by themselves, which hold until those of the file change', async () => {
    const server = await serve();
    write('mine');
    await organiser.addCampaign('mine');
    const observer = await connect(server);
    await observer.value('watch', { campaignId: 'test' });
    const deadline = '2020-01-01T00:00:00Z';
    expect(await organiser.changeTerms('test', { closeAt: { contributions: 5 } })).toMatchObject({
      termsOf: 'organiser',
      terms: { closeAt: { contributions: 5 } },
    });
    expect(await organiser.addCampaign('mine')).toMatchObject({ change: 'unchanged', termsOf: 'organiser' });
    expect((await organiser.changeTerms('test', { closeAt: { contributions: null } })).termsOf).toBe('file');
    await organiser.changeTerms('test', { closeAt: { deadline } });
    expect((await organiser.terms('test')).terms.closeAt).toEqual({ deadline });
    await vi.waitFor(() => expect(observer.updates.at(-1)?.counts?.status).toMatch(/^clos/), PATIENCE);
  });

  it('puts another campaign in place of one that nobody contributed to, and of no other', async () => {
    const server = await serve();
    write('mine');
    await organiser.addCampaign('mine');
    await vi.waitUntil(() => isScored(server), PATIENCE);
    const observer = await connect(server);
    await observer.value('watch', { campaignId: 'test' });
    const hungUp = new Promise((resolve) => observer.socket.once('disconnect', resolve));
    write('mine', { adapter: { ...smallAdapter, rank: 4, seed: 2 } });
    expect(await organiser.addCampaign('mine')).toMatchObject({ change: 'replaced' });
    // It comes again, and asks again.
    expect(await hungUp).toBe('transport close');
    // What was scored was another adapter's.
    await vi.waitUntil(() => isScored(server), PATIENCE);
    const client = await connect(server);
    expect(client.manifest.adapter.rank).toBe(4);
    await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 1));
    write('mine');
    expect(await addNamed('mine')).toMatchObject({ status: 409, code: 'campaign_started' });
    expect(await organiser.contributions('test')).toHaveLength(1);
  });

  it('goes on while a file is read: others join, and a second file waits its turn', async () => {
    const server = await serve();
    write('mine');
    await organiser.addCampaign('mine');
    const slow = join(write('slow', { id: 'slow' }), '..', 'heldout.jsonl');
    const lines = readFileSync(slow);
    rmSync(slow);
    // Whoever reads it waits for somebody to write.
    execFileSync('mkfifo', [slow]);
    const adding = organiser.addCampaign('slow');
    const client = await connect(server);
    try {
      await vi.waitFor(async () => expect(await addNamed('mine')).toMatchObject({ status: 429 }), PATIENCE);
      expect((await client.join()).resumed).toBe(false);
      expect((await stateOf(server)).clients).toHaveLength(1);
      expect((await organiser.campaigns()).map(({ id }) => id)).toEqual(['test']);
    } finally {
      await writeFile(slow, lines);
    }
    expect(await adding).toMatchObject({ campaignId: 'slow', change: 'added' });
  });
});

/** A file that no longer fits what was contributed, and one that turns out bad late; `blobs`: by name, in order. */
async function expectNothingKept(blobs: () => Promise<string[]>): Promise<void> {
  write('mine');
  await organiser.addCampaign('mine');
  const client = await connect(servers[0]!);
  await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 1));
  const before = await blobs();
  const { data } = JSON.parse(readFileSync(join(folder, 'mine/campaign.json'), 'utf8')) as CampaignConfig;
  write('mine', { data: { ...data, partitionSeed: 7 } });
  expect(await addNamed('mine')).toMatchObject({ status: 409, code: 'campaign_started' });
  expect(await blobs()).toEqual(before);
  // Its shards are stored by the time that none of its held-out records turns out to fit.
  const bad = write('bad', { id: 'bad', data: { ...data, partitionSeed: 8 } });
  const long = { id: '', domain: 'sums', prompt: 'Sum', answer: 'word '.repeat(5000) };
  writeFileSync(join(bad, '../heldout.jsonl'), `${JSON.stringify(long)}\n`);
  expect(await addNamed('bad')).toMatchObject({ status: 422, code: 'bad_campaign_file' });
  expect(await blobs()).toEqual(before);
}

const blobsIn = (dataDir: string) => readdirSync(join(dataDir, 'blobs')).toSorted();

describe('a campaign file that cannot be added', () => {
  it('leaves nothing behind', async () => {
    const dataDir = join(root, 'data');
    await serve({ dataDir });
    await expectNothingKept(async () => blobsIn(dataDir));
  });

  it.each([
    ['--max-data-bytes', (stored: number) => ({ maxDataBytes: stored + 1000 })],
    ['--min-free-bytes', () => ({ minFreeBytes: 2 ** 60 })],
  ])('is one without room: %s; what is served already goes on', async (option, within) => {
    const dataDir = join(root, 'data');
    const unbounded = await serve({ dataDir });
    write('mine');
    await organiser.addCampaign('mine');
    await unbounded.close();
    const before = blobsIn(dataDir);
    const stored = before.reduce((sum, name) => sum + statSync(join(dataDir, 'blobs', name)).size, 0);
    await serve({ dataDir, ...within(stored) });
    const { data } = JSON.parse(readFileSync(join(folder, 'mine/campaign.json'), 'utf8')) as CampaignConfig;
    write('other', { id: 'other', data: { ...data, partitionSeed: 7 } });
    expect(await add(JSON.stringify({ name: 'other' }), servers[1]!)).toMatchObject({
      ...{ status: 507, code: 'storage_full', message: expect.stringContaining(option) },
    });
    expect(blobsIn(dataDir)).toEqual(before);
    expect(await organiser.addCampaign('mine')).toMatchObject({ change: 'unchanged' });
  });

  it('is named by nothing but a plain name', async () => {
    await serve();
    write('mine');
    write('outside', {}, root);
    for (const name of [
      '../outside',
      '..',
      '.',
      '',
      'mine/',
      'mine/../mine',
      '..\\outside',
      '.mine',
      '/etc',
      'a\0b',
      1,
    ]) {
      expect({ name, ...(await addNamed(name)) }).toMatchObject({ name, status: 400, code: 'malformed' });
    }
    for (const body of ['{}', '{"name":"mine","path":"/etc/passwd"}', '[]', '{']) {
      expect({ body, ...(await add(body)) }).toMatchObject({ body, status: 400 });
    }
    expect(await organiser.campaigns()).toEqual([]);
  });

  it('is none that a link leads to out of the folder, no folder, and nothing that would have to be waited for', async () => {
    await serve();
    write('mine');
    const outside = write('outside', {}, root);
    symlinkSync(join(root, 'outside'), join(folder, 'linked'));
    for (const name of ['file-linked', 'folder', 'pipe', 'empty']) mkdirSync(join(folder, name));
    symlinkSync(outside, join(folder, 'file-linked', 'campaign.json'));
    mkdirSync(join(folder, 'folder', 'campaign.json'));
    execFileSync('mkfifo', [join(folder, 'pipe', 'campaign.json')]);
    symlinkSync(join(folder, 'mine'), join(folder, 'within'));
    for (const name of ['linked', 'file-linked', 'folder', 'pipe', 'empty', 'nowhere']) {
      expect({ name, ...(await addNamed(name)) }).toMatchObject({ name, status: 404, code: 'unknown_campaign_file' });
    }
    expect((await organiser.campaignFiles()).map(({ name }) => name)).toEqual(['mine', 'within']);
    expect(await organiser.addCampaign('within')).toMatchObject({ change: 'added' });
  });

  it('is told of in one sentence that names what is wrong, and leaves nothing behind', async () => {
    await serve();
    writeFileSync(write('typo'), '{"id": "typo", "nmae": "wrong"}');
    write('modelless', { model: '../nowhere' });
    expect(await addNamed('typo')).toMatchObject({
      ...{ status: 422, code: 'bad_campaign_file', message: expect.stringMatching(/typo\/campaign\.json: .*nmae/) },
    });
    expect((await addNamed('modelless')).message).toMatch(/model: there is no .*nowhere/);
    expect(await organiser.campaignFiles()).toMatchObject([
      { name: 'modelless', campaignId: 'test' },
      { name: 'typo', campaignId: null, problem: expect.stringContaining('nmae') },
    ]);
    expect(await organiser.campaigns()).toEqual([]);
    const metrics = await (await fetch(`${servers[0]!.url}/metrics`)).text();
    expect(metrics).toContain('oneround_refusals_total{request="admin",code="bad_campaign_file"} 2');
  });

  it('is any where the server was told of no folder, and it says which setting names one', async () => {
    await serve({ campaignFolder: undefined });
    expect(await addNamed('mine')).toMatchObject({
      ...{ status: 409, code: 'no_campaign_folder', message: expect.stringContaining('--campaigns') },
    });
    await expect(organiser.campaignFiles()).rejects.toThrow('ONEROUND_CAMPAIGNS');
    await expect(organiser.addCampaign('./mine/campaign.json')).rejects.toThrow('by its name in the campaign folder');
    await expect(serve({ campaignFolder: join(root, 'nowhere') })).rejects.toThrow(/There is no folder .*nowhere/);
  });
});

describe('servers on a Postgres', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.remove());

  it('keep nothing of a file that could not be served', async () => {
    const databaseUrl = await postgres.createDatabase();
    await serve({ databaseUrl });
    await expectNothingKept(async () => {
      const rows = await queryOnce(databaseUrl, 'select sha256 from blobs order by sha256');
      return rows.map(({ sha256 }) => String(sha256));
    });
  });

  it('hold a file to --max-data-bytes, not to the room on a disk where they keep only copies', async () => {
    const databaseUrl = await postgres.createDatabase();
    await serve({ databaseUrl, maxDataBytes: 1, minFreeBytes: 2 ** 60 });
    write('mine');
    expect(await addNamed('mine')).toMatchObject({ status: 507, code: 'storage_full' });
    expect(await queryOnce(databaseUrl, 'select sha256 from blobs')).toEqual([]);
    const roomy = await serve({ databaseUrl, minFreeBytes: 2 ** 60 });
    expect(await add(JSON.stringify({ name: 'mine' }), roomy)).toMatchObject({ status: 200 });
  });

  it('serve what was added to either, replaced, and given other terms', async () => {
    const databaseUrl = await postgres.createDatabase();
    write('mine');
    const second = await serve({ databaseUrl });
    const first = await serve({ databaseUrl });
    await organiser.addCampaign('mine');
    await vi.waitUntil(async () => (await fetch(`${second.url}/v1/campaigns/test`)).ok, PATIENCE);
    await vi.waitUntil(() => isScored(second), PATIENCE);
    write('mine', { adapter: { ...smallAdapter, rank: 4, seed: 2 } });
    expect(await organiser.addCampaign('mine')).toMatchObject({ change: 'replaced' });
    await vi.waitFor(async () => expect([await rankAt(first), await rankAt(second)]).toEqual([4, 4]), PATIENCE);
    await vi.waitUntil(() => isScored(first), PATIENCE);
    const client = await connect(second);
    const lease = await client.join();
    expect((await fetch(`${second.url}/v1/files/${lease.shard!.sha256}`)).status).toBe(200);
    await client.contribute(lease, seededDelta(client.manifest.layout.size, 1));
    await vi.waitUntil(async () => (await stateOf(first)).versions.length === 2, PATIENCE);
    const observer = await connect(second);
    await observer.value('watch', { campaignId: 'test' });
    await organiser.changeTerms('test', { private: true });
    const heard = () => observer.updates.flatMap(({ log }) => log.map(({ message }) => message));
    await vi.waitFor(() => expect(heard()).toContain('the terms have changed: private'), PATIENCE);
    await expect(observer.join()).rejects.toThrow('invite_needed');
  });
});
