/** Clients that mean harm to the server itself: what they are refused, and that everybody else is served on. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { encodeDelta, type CampaignState } from '@oneround/fl-core';
import { io } from 'socket.io-client';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { RunningServer } from './server.ts';
import { figure } from './testing/resident-memory.ts';
import { makeTestCampaign, type TestCampaign } from './testing/test-campaign.ts';
import { seededDelta, TestClient } from './testing/test-client.ts';
import { serveTestCampaign } from './testing/test-server.ts';

let campaign: TestCampaign;
let server: RunningServer;
let client: TestClient;

beforeEach(async () => {
  campaign = makeTestCampaign();
  server = await serveTestCampaign(campaign, { trustProxy: true, socketsPerAddress: 3 });
  client = await TestClient.connect(server.url);
});

afterEach(async () => {
  client.close();
  await server.close();
  campaign.remove();
});

async function expectService(): Promise<void> {
  const other = await TestClient.connect(server.url);
  expect(await other.value('watch', { campaignId: 'test' })).toEqual({});
  other.close();
}

/** A connection with these headers, or null when it is refused. */
async function connect(extraHeaders: Record<string, string>): Promise<{ disconnect(): void } | null> {
  const options = { transports: ['websocket'], reconnection: false, forceNew: true, extraHeaders };
  const socket = io(server.url, options) as unknown as NodeJS.EventEmitter & { disconnect(): void };
  return Promise.race([once(socket, 'connect').then(() => socket), once(socket, 'connect_error').then(() => null)]);
}

/** How many requests of this kind the server says it has refused. */
async function refusals(request: string, code: string): Promise<number> {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  return figure(metrics, `oneround_refusals_total{request="${request}",code="${code}"}`);
}

async function outcomeFrom(origin: string): Promise<'connected' | 'refused'> {
  const socket = await connect({ origin });
  socket?.disconnect();
  return socket ? 'connected' : 'refused';
}

it('a page of another origin opens no socket', async () => {
  expect(await outcomeFrom(server.url)).toBe('connected');
  for (const origin of ['https://elsewhere.example', 'null', 'http://127.0.0.1:1'])
    expect([origin, await outcomeFrom(origin)]).toEqual([origin, 'refused']);
  expect(await refusals('connect', 'other_origin')).toBe(3);
});

it('a frame larger than a chunk ends its connection', async () => {
  const gone = once(client.socket as unknown as NodeJS.EventEmitter, 'disconnect');
  client.socket.emit('upload.chunk', { data: new Uint8Array(1024 * 1024) });
  await gone;
  await expectService();
  await vi.waitFor(async () => expect(await refusals('frame', 'too_large')).toBe(1));
});

it('a flood of requests is refused, not queued', async () => {
  const answers = await Promise.all(Array.from({ length: 400 }, () => client.ask('watch', { campaignId: 'test' })));
  const codes = answers.flatMap((answer) => (answer.ok ? [] : [answer.error.code]));
  expect(new Set(codes)).toEqual(new Set(['rate_limited']));
  expect(codes.length).toBeGreaterThan(0);
  await expectService();
});

it('a connection that sends nothing but garbage is hung up on', async () => {
  const gone = once(client.socket as unknown as NodeJS.EventEmitter, 'disconnect');
  for (let i = 0; i < 50; i++) client.socket.emit('join', JSON.parse('{"__proto__": {"polluted": true}}'));
  expect((await gone)[0]).toBe('io server disconnect');
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  await expectService();
});

const connectFrom = (address: string) => connect({ 'x-forwarded-for': address });

it('one address opens only so many connections, and another address others', async () => {
  const open = await Promise.all(Array.from({ length: 3 }, () => connectFrom('192.0.2.1')));
  expect(open).not.toContain(null);
  expect(await connectFrom('192.0.2.1')).toBeNull();
  expect(await connectFrom('198.51.100.7, 192.0.2.1')).toBeNull();
  expect(await refusals('connect', 'too_many_connections')).toBe(2);
  const other = await connectFrom('192.0.2.2');
  expect(other).not.toBeNull();
  open[0]!.disconnect();
  const again = await vi.waitFor(async () => {
    const socket = await connectFrom('192.0.2.1');
    expect(socket).not.toBeNull();
    return socket;
  });
  for (const socket of [...open, other, again]) socket!.disconnect();
});

it('a connection holds only so many leases at a time', async () => {
  const request = await client.joinRequest({ source: 'own' });
  for (let i = 0; i < 8; i++) expect(await client.ask('join', request)).toMatchObject({ ok: true });
  const refusal = { ok: false, error: { code: 'rate_limited', message: expect.stringContaining('8 leases') } };
  expect(await client.ask('join', request)).toMatchObject(refusal);
});

it('a connection holds no more leases when it asks for many at once', async () => {
  const request = await client.joinRequest({ source: 'own' });
  const answers = await Promise.all(Array.from({ length: 40 }, () => client.ask('join', request)));
  expect(answers.filter(({ ok }) => ok)).toHaveLength(8);
});

it('one address has only its quota of a campaign, whoever passes its connections on', async () => {
  client.close();
  await server.close();
  campaign.remove();
  campaign = makeTestCampaign({
    terms: { draft: false, private: false, clientsPerShard: 1, maxPerAddress: 1, closeAt: {} },
  });
  server = await serveTestCampaign(campaign, { trustProxy: true });
  const from = (address: string) => TestClient.connect(server.url, undefined, { 'x-forwarded-for': address });
  const volunteers = await Promise.all(['192.0.2.1', '192.0.2.1', '198.51.100.7, 192.0.2.1', '192.0.2.2'].map(from));
  const [first, again, disguised, other] = volunteers as [TestClient, TestClient, TestClient, TestClient];
  const lease = await first.join();
  const quota = {
    ok: false,
    error: { code: 'quota_reached', message: expect.stringContaining('one network address') },
  };
  for (const late of [again, disguised]) expect(await late.ask('join', await late.joinRequest())).toMatchObject(quota);
  expect((await other.join()).shard!.index).not.toBe(lease.shard!.index);
  // What is given back counts no more.
  await first.value('leave', { leaseId: lease.leaseId });
  expect((await again.join()).shard!.index).toBe(lease.shard!.index);
  for (const volunteer of volunteers) volunteer.close();
});

it('more chunks at once than a client may have on their way are refused, and the upload goes on', async () => {
  const bytes = encodeDelta(seededDelta(client.manifest.layout.size, 1), 'f32');
  const begin = await client.beginMessage(await client.join(), bytes);
  await client.value('upload.begin', begin);
  const { contributionId } = begin;
  const data = new Uint8Array(client.manifest.upload.chunkBytes);
  const flood = Array.from({ length: 40 }, () => client.ask('upload.chunk', { contributionId, offset: 2 ** 30, data }));
  const codes = new Set((await Promise.all(flood)).map((answer) => (answer.ok ? 'ok' : answer.error.code)));
  expect(codes).toEqual(new Set(['wrong_offset', 'rate_limited']));
  await client.sendChunks(contributionId, bytes);
  expect(await client.value('upload.finish', { contributionId })).toMatchObject({ sequence: 1 });
  // Twenty-four refusals of one kind are one line of the campaign's log.
  const { log } = (await (await fetch(`${server.url}/v1/campaigns/test/state`)).json()) as CampaignState;
  expect(log.filter(({ kind }) => kind === 'refused')).toHaveLength(1);
});

it('paths that lead elsewhere, and names that pollute, get an answer and nothing else', async () => {
  const up = ['../', '..%2f', '%2e%2e/', '..%5c', '....//', '%c0%ae%c0%ae/', '%00', '%2e%2e%2f'];
  const probes = up.flatMap((step) => [`/v1/files/${step.repeat(6)}etc/passwd`, `/${step.repeat(3)}campaign.json`]);
  const named = ['__proto__', 'constructor', 'toString'].map((name) => `/v1/campaigns/${name}`);
  for (const path of [...probes, ...named, ...named.map((name) => `${name}/state`)]) {
    // fetch would tidy the path up.
    const request = get({ host: '127.0.0.1', port: server.port, path });
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    expect([path, answer.statusCode]).toEqual([path, expect.toSatisfy((status) => status === 400 || status === 404)]);
    answer.resume();
  }
  await expectService();
});
