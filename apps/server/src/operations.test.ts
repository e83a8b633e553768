/** What an operator sees of a real server process: readiness, figures, log; and a disk that fills up. */
import { encodeDelta } from '@oneround/fl-core';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { makeAdminToken } from './ledger/index.ts';
import { startPostgres } from './testing/postgres.ts';
import { figure } from './testing/resident-memory.ts';
import { ServerProcess } from './testing/server-process.ts';
import { makeTestCampaign, type TestCampaign } from './testing/test-campaign.ts';
import { seededDelta, TestClient } from './testing/test-client.ts';
import { serveTestCampaign } from './testing/test-server.ts';

let campaign: TestCampaign;
let child: ServerProcess | null = null;

beforeEach(() => {
  campaign = makeTestCampaign();
});

afterEach(async () => {
  await child?.end();
  child = null;
  campaign.remove();
});

async function untilReady(url: string): Promise<string[]> {
  const reasons: string[] = [];
  const isReady = async () => {
    const answer = await fetch(`${url}/readyz`);
    if (answer.status === 503) reasons.push(((await answer.json()) as { reason: string }).reason);
    expect(answer.status).toBe(200);
  };
  await vi.waitFor(isReady, { timeout: 30_000, interval: 10 });
  return reasons;
}

it('is alive before it is ready, and counts and logs what happens without a word about whom', async () => {
  const { file: campaignFile, dataDir } = campaign;
  child = await ServerProcess.prepare({ campaignFile, dataDir, server: { logLevel: 'info', logFormat: 'json' } });
  child.start();
  const { url } = child;
  await vi.waitFor(async () => expect((await fetch(`${url}/healthz`)).ok).toBe(true), {
    timeout: 30_000,
    interval: 10,
  });
  const early = await fetch(`${url}/v1/campaigns`);
  expect([early.status, await early.json()]).toMatchObject([503, { error: { code: 'starting' } }]);
  const reasons = new Set(await untilReady(url));
  expect([...reasons]).toEqual([
    'The ledger is being migrated and the campaigns are being read.',
    'No evaluation worker has loaded its model yet.',
  ]);

  const client = await TestClient.connect(url);
  const lease = await client.join();
  const bytes = encodeDelta(seededDelta(client.manifest.layout.size, 1), 'f32');
  const forged = await client.beginMessage(lease, bytes, { signature: '00'.repeat(64) });
  expect(await client.ask('upload.begin', forged)).toMatchObject({ error: { code: 'bad_signature' } });
  const begun = await client.beginMessage(lease, bytes);
  await client.value('upload.begin', begun);
  const during = await (await fetch(`${url}/metrics`)).text();
  expect(figure(during, 'oneround_sockets')).toBe(1);
  expect(figure(during, 'oneround_leases')).toBe(1);
  expect(figure(during, 'oneround_uploads')).toBe(1);
  await client.sendChunks(begun.contributionId, bytes);
  await client.value('upload.finish', { contributionId: begun.contributionId });
  const isCounted = async () => {
    const answer = await fetch(`${url}/metrics`);
    const text = await answer.text();
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(figure(text, 'oneround_contributions_accepted_total{campaign="test"}')).toBe(1);
    expect(figure(text, 'oneround_refusals_total{request="upload.begin",code="bad_signature"}')).toBe(1);
    expect(figure(text, 'oneround_fold_seconds_count')).toBe(1);
    // The base model, version 1, and the contribution alone.
    expect(figure(text, 'oneround_evaluation_seconds_count')).toBe(3);
    expect(figure(text, 'oneround_evaluation_seconds_sum')).toBeGreaterThan(0);
    expect(figure(text, 'oneround_leases')).toBe(0);
    expect(figure(text, 'oneround_uploads')).toBe(0);
    expect(figure(text, 'oneround_intake_open')).toBe(1);
    expect(figure(text, 'oneround_disk_free_bytes')).toBeGreaterThan(1024 ** 3);
    expect(figure(text, 'oneround_bytes_in_total')).toBeGreaterThan(bytes.byteLength);
    expect(figure(text, 'oneround_bytes_out_total')).toBeGreaterThan(1000);
    expect(figure(text, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
    expect(figure(text, 'process_resident_memory_bytes')).toBeGreaterThan(1e7);
  };
  await vi.waitFor(isCounted, { timeout: 30_000, interval: 100 });
  const proxied = await fetch(`${url}/metrics`, { headers: { 'x-forwarded-for': '192.0.2.1' } });
  expect(proxied.status).toBe(403);

  await client.value('join', await client.joinRequest());
  client.close();
  expect(await child.end('SIGTERM')).toBe(0);
  const lines = child.output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const { leaseId } = lease;
  const { contributionId } = begun;
  const about = (message: string) => lines.filter(({ msg }) => msg === message);
  expect(about('lease granted')[0]).toMatchObject({ campaignId: 'test', leaseId, shard: 0 });
  expect(about('refused')).toMatchObject([{ request: 'upload.begin', code: 'bad_signature', leaseId }]);
  expect(about('contribution accepted')).toMatchObject([
    { leaseId, contributionId, sequence: 1, uploadMs: expect.any(Number) },
  ]);
  expect(about('folded')).toMatchObject([{ campaignId: 'test', version: 1, ms: expect.any(Number) }]);
  expect(new Set(about('evaluated').map(({ subject }) => subject))).toEqual(
    new Set(['version 0', 'version 1', `contribution ${contributionId}`]),
  );
  const ofClients = lines.filter(({ msg }) => !/listening/.test(String(msg)));
  expect(JSON.stringify(ofClients)).not.toMatch(
    /127\.0\.0\.1|::1|user-agent|remoteAddress|node-XMLHttpRequest|Mozilla/i,
  );
});

it('opens its figures to a token, and to nothing else', async () => {
  const server = await serveTestCampaign(campaign, { metricsToken: 'a-secret' });
  try {
    const status = async (headers: Record<string, string>) =>
      (await fetch(`${server.url}/metrics`, { headers })).status;
    expect(await status({})).toBe(401);
    expect(await status({ authorization: 'Bearer another' })).toBe(401);
    expect(await status({ authorization: 'Bearer a-secret', 'x-forwarded-for': '192.0.2.1' })).toBe(200);
    const read = await fetch(`${server.url}/metrics`, { headers: { authorization: 'Bearer a-secret' } });
    expect(figure(await read.text(), 'oneround_refusals_total{request="metrics",code="forbidden"}')).toBe(2);
  } finally {
    await server.close();
  }
});

it('writes no secret into its log, at the most talkative, whatever is asked and whatever breaks', async () => {
  campaign.remove();
  campaign = makeTestCampaign({ terms: { draft: false, private: true, clientsPerShard: 1, closeAt: {} } });
  const { file: campaignFile, dataDir } = campaign;
  const metricsToken = 'token-that-nobody-must-read';
  const guess = 'a-guess-that-was-nearly-right';
  const password = 'correct-horse-battery-staple';
  const postgres = await startPostgres();
  try {
    const databaseUrl = (await postgres.createDatabase()).replace('oneround@', `oneround:${password}@`);
    const options = { logLevel: 'debug' as const, metricsToken, databaseUrl };
    child = await ServerProcess.prepare({ campaignFile, dataDir, server: options });
    child.start();
    await child.untilServing();
    const { url } = child;
    const adminToken = await makeAdminToken(dataDir, databaseUrl);
    const admin = (path: string, token: string, method = 'POST') =>
      fetch(`${url}/v1/admin${path}?token=${token}`, { method, headers: { authorization: `Bearer ${token}` } });
    for (const token of [metricsToken, guess])
      await (await fetch(`${url}/metrics?token=${token}`, { headers: { authorization: `Bearer ${token}` } })).text();
    const posted = { method: 'POST', body: '{', headers: { authorization: `Bearer ${guess}` } };
    await fetch(`${url}/v1/campaigns/test`, posted);
    await fetch(`${url}/v1/admin/campaigns/test/pause`, posted);
    for (const token of [guess, adminToken])
      for (const action of ['pause', 'pause', 'open']) await admin(`/campaigns/test/${action}`, token);
    const made = await admin('/campaigns/test/invites', adminToken);
    const { id, token: invite } = (await made.json()) as { id: string; token: string };

    const client = await TestClient.connect(url);
    expect(await client.ask('join', await client.joinRequest({ invite: guess }))).toMatchObject({ ok: false });
    const bytes = encodeDelta(seededDelta(client.manifest.layout.size, 1), 'f32');
    const begun = await client.beginMessage(await client.join({ invite }), bytes, { sha256: '00'.repeat(32) });
    await client.value('upload.begin', begun);
    await client.sendChunks(begun.contributionId, bytes);
    expect(await client.ask('upload.finish', { contributionId: begun.contributionId })).toMatchObject({ ok: false });
    const { publicKey } = (await client.joinRequest()) as { publicKey: string };
    client.close();
    await admin(`/campaigns/test/invites/${id}`, adminToken, 'DELETE');
    // What libraries say of a database that is away is logged as well.
    await postgres.kill();
    await vi.waitFor(async () => expect((await admin('/campaigns', adminToken, 'GET')).status).toBe(503), {
      timeout: 20_000,
      interval: 200,
    });
    await child.end('SIGTERM');
    const expected = ['wrong_hash', 'wrong_status', 'invite_needed', 'organised', 'turned away', 'connection'];
    for (const word of expected) expect(child.output).toContain(word);
    const secrets = { adminToken, metricsToken, guess, invite, password, publicKey, signature: begun.signature };
    for (const [name, secret] of Object.entries({ ...secrets, bearer: 'Bearer' }))
      expect([name, child.output.includes(secret)]).toEqual([name, false]);
  } finally {
    await child?.end();
    await postgres.remove();
  }
});

it('takes nothing while the disk is nearly full, says so, and goes on where it was when there is room', async () => {
  let free = 2 * 1024 ** 3;
  const server = await serveTestCampaign(campaign, { freeBytes: async () => free });
  try {
    const client = await TestClient.connect(server.url);
    const bytes = encodeDelta(seededDelta(client.manifest.layout.size, 1), 'f32');
    const begin = await client.beginMessage(await client.join(), bytes);
    await client.value('upload.begin', begin);
    const { contributionId } = begin;
    const stored = await client.sendChunks(contributionId, bytes, 0, client.manifest.upload.chunkBytes);
    await untilReady(server.url);

    free = 1024 ** 3 - 1;
    const full = { ok: false, error: { code: 'storage_full', message: expect.stringContaining('disk space') } };
    await vi.waitFor(async () => expect(await client.ask('upload.begin', begin)).toMatchObject(full), {
      timeout: 5000,
      interval: 100,
    });
    const data = bytes.slice(stored, stored + client.manifest.upload.chunkBytes);
    expect(await client.ask('upload.chunk', { contributionId, offset: stored, data })).toMatchObject(full);
    const notReady = await fetch(`${server.url}/readyz`);
    expect([notReady.status, await notReady.json()]).toMatchObject([503, { reason: expect.stringContaining('disk') }]);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(figure(metrics, 'oneround_intake_open')).toBe(0);
    expect(figure(metrics, 'oneround_disk_free_bytes')).toBe(free);

    free = 1024 ** 3;
    const offset = await vi.waitFor(
      async () => (await client.value<{ offset: number }>('upload.begin', begin)).offset,
      { timeout: 5000, interval: 100 },
    );
    expect(offset).toBe(stored);
    await client.sendChunks(contributionId, bytes, offset);
    expect(await client.value('upload.finish', { contributionId })).toMatchObject({ sequence: 1 });
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    client.close();
  } finally {
    await server.close();
  }
});
