/** Two servers on one Postgres, each with its own port and folder: volunteers and observers need not know which is which. */
import { readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { encodeDelta, type CampaignState, type Receipt } from '@oneround/fl-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { defaultCampaign } from './cli/defaults.ts';
import { Ledger, verifyDatabase } from './ledger/index.ts';
import type { RunningServer, ServerOptions } from './server.ts';
import { collect } from './testing/collect.ts';
import { startPostgres, type TestPostgres } from './testing/postgres.ts';
import { makeTestCampaign, type TestCampaign } from './testing/test-campaign.ts';
import { seededDelta, TestClient } from './testing/test-client.ts';
import { serveTestCampaign } from './testing/test-server.ts';

const PATIENCE = { timeout: 30_000, interval: 50 };

let postgres: TestPostgres;
let campaign: TestCampaign;
let databaseUrl: string;
let servers: RunningServer[];

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());
beforeEach(async () => {
  campaign = makeTestCampaign();
  databaseUrl = await postgres.createDatabase();
  servers = [await serve(0), await serve(1)];
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const server of servers) await server.close();
  campaign.remove();
});

function serve(index: number, changes: Partial<ServerOptions> = {}): Promise<RunningServer> {
  return serveTestCampaign(campaign, { dataDir: `${campaign.dataDir}-${index}`, databaseUrl, ...changes });
}

const copiesOf = (index: number) => readdirSync(`${campaign.dataDir}-${index}/blobs`);

const stateOf = async ({ url }: RunningServer) =>
  (await (await fetch(`${url}/v1/campaigns/test/state`)).json()) as CampaignState;

it('take turns in one upload, and observers of either hear of the version and its evaluation', async () => {
  const [first, second] = servers as [RunningServer, RunningServer];
  const observers = [await TestClient.connect(first.url), await TestClient.connect(second.url)];
  for (const observer of observers) await observer.value('watch', { campaignId: 'test' });

  const client = await TestClient.connect(first.url);
  const lease = await client.join();
  const { layout, upload } = client.manifest;
  const bytes = encodeDelta(seededDelta(layout.size, 1), upload.codec);
  const begin = await client.beginMessage(lease, bytes);
  await client.value('upload.begin', begin);
  const half = await client.sendChunks(begin.contributionId, bytes, 0, upload.chunkBytes);
  await vi.waitUntil(async () => (await stateOf(second)).online === 1, PATIENCE);
  client.close();

  const again = await TestClient.connect(second.url, client.keys);
  expect(await again.join({ resumeLeaseId: lease.leaseId })).toMatchObject({ leaseId: lease.leaseId, resumed: true });
  const { offset } = await again.value<{ offset: number }>('upload.begin', begin);
  expect(offset).toBe(half);
  await again.sendChunks(begin.contributionId, bytes, offset);
  const receipt = await again.value<Receipt>('upload.finish', { contributionId: begin.contributionId });
  expect(receipt).toMatchObject({ sequence: 1, repeated: false });

  for (const { updates } of observers) {
    const versions = () => updates.flatMap((update) => update.versions);
    await vi.waitUntil(() => versions().some(({ version, evaluation }) => version === 1 && evaluation), PATIENCE);
  }
  await vi.waitUntil(async () => (await stateOf(first)).contributions.every(({ alone }) => alone), PATIENCE);
  const [one, other] = [await stateOf(first), await stateOf(second)];
  expect(one.versions).toEqual(other.versions);
  expect(one.contributions).toEqual(other.contributions);
  expect(one.contributions).toMatchObject([{ contributionId: begin.contributionId, foldedVersion: 1 }]);
  const file = `/v1/campaigns/test/versions/1/adapter_model.safetensors`;
  const [a, b] = await Promise.all(servers.map(async ({ url }) => (await fetch(url + file)).arrayBuffer()));
  expect(Buffer.from(a!).equals(Buffer.from(b!))).toBe(true);
  for (const observer of [...observers, again]) observer.close();
  expect(await collect(verifyDatabase(databaseUrl))).toMatchObject([{ contributions: 1, pending: 0 }]);
});

it('hang up while Postgres is away, lose nothing, and go on by themselves', async () => {
  const client = await TestClient.connect(servers[0]!.url);
  const lease = await client.join();
  await postgres.kill();
  const hungUp = new Promise((resolve) => client.socket.once('disconnect', resolve));
  await expect(client.ask('watch', { campaignId: 'test' })).rejects.toThrow();
  expect(await hungUp).toBe('transport close');
  for (const { url } of servers) expect((await fetch(`${url}/v1/campaigns/test/state`)).status).toBe(503);
  await postgres.start();
  const again = await TestClient.connect(servers[1]!.url, client.keys);
  expect(await again.join({ resumeLeaseId: lease.leaseId })).toMatchObject({ leaseId: lease.leaseId, resumed: true });
  await again.contribute(lease, seededDelta(again.manifest.layout.size, 3));
  await vi.waitUntil(async () => (await stateOf(servers[0]!)).versions.length === 2, PATIENCE);
  again.close();
});

it('are given no sample campaign, for their ledger has one', async () => {
  const sampleCampaignFile = defaultCampaign;
  servers.push(await serve(2, { campaignFiles: [], sampleCampaignFile }));
  expect(servers[2]!.campaigns.map(({ id }) => id)).toEqual(['test']);
  databaseUrl = await postgres.createDatabase();
  servers.push(await serve(3, { campaignFiles: [], sampleCampaignFile }));
  expect(servers[3]!.campaigns.map(({ id }) => id)).toEqual(['everyday']);
});

it('forget a campaign that another server deletes: its files, its evaluation, and what was left while they were down', async () => {
  const [first, second] = servers as [RunningServer, RunningServer];
  const client = await TestClient.connect(first.url);
  const { config } = client.manifest.model;
  client.close();
  await vi.waitUntil(async () => (await stateOf(first)).versions[0]?.evaluation, PATIENCE);
  for (const { url } of servers) expect((await fetch(`${url}/v1/files/${config.sha256}`)).status).toBe(200);
  expect(copiesOf(0)).toContain(config.sha256);
  expect(copiesOf(1)).toContain(config.sha256);
  await second.close();
  const ended = vi.spyOn(Worker.prototype, 'terminate');

  const third = await Ledger.open({ dataDir: `${campaign.dataDir}-2`, databaseUrl });
  await third.deleteCampaign('test');
  await third.close();
  await vi.waitUntil(() => copiesOf(0).length === 0, PATIENCE);
  await vi.waitUntil(() => ended.mock.calls.length === 1, PATIENCE);
  expect(await (await fetch(`${first.url}/v1/campaigns`)).json()).toEqual({ campaigns: [] });

  servers = [first, await serve(1, { campaignFiles: [] })];
  expect(copiesOf(1)).toEqual([]);
});

it('that stops hands its duties over at once', async () => {
  const [first, second] = servers as [RunningServer, RunningServer];
  await first.close();
  servers = [second];
  const client = await TestClient.connect(second.url);
  await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 2));
  await vi.waitUntil(async () => (await stateOf(second)).versions.length === 2, PATIENCE);
  expect((await stateOf(second)).contributions).toMatchObject([{ sequence: 1, foldedVersion: 1 }]);
  client.close();
});
