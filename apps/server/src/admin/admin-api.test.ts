/** The admin API of a real server: who may use it, what it does, and that its description leaves nothing out. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { contributionsIn, type Acknowledgement, type CampaignState, type Receipt } from '@oneround/fl-core';
import Fastify from 'fastify';
import SqliteDatabase from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeAdminToken } from '../ledger/index.ts';
import { startServer, type RunningServer } from '../server.ts';
import { recordActivity } from '../testing/recorded-activity.ts';
import { figure } from '../testing/resident-memory.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { seededDelta, TestClient } from '../testing/test-client.ts';
import { AdminAccess } from './admin-access.ts';
import { addAdminRoutes } from './add-admin-routes.ts';
import { openApiDocument } from './open-api.ts';
import type { Organiser } from './organiser.ts';
import { remoteOrganiser } from './remote-organiser.ts';
import { adminRoutes } from './routes.ts';

let campaign: TestCampaign;
let server: RunningServer;
let token: string;
let organiser: Organiser;
const clients: TestClient[] = [];

beforeEach(async () => {
  campaign = makeTestCampaign();
  server = await startServer({
    host: '127.0.0.1',
    port: 0,
    dataDir: campaign.dataDir,
    campaignFiles: [campaign.file],
    logLevel: 'silent',
  });
  token = await makeAdminToken(campaign.dataDir);
  organiser = remoteOrganiser(server.url, token);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
  campaign.remove();
});

async function connect(): Promise<TestClient> {
  const client = await TestClient.connect(server.url);
  clients.push(client);
  return client;
}

const state = async () => (await (await fetch(`${server.url}/v1/campaigns/test/state`)).json()) as CampaignState;
const ask = (path: string, options: RequestInit = {}) => fetch(`${server.url}/v1/admin${path}`, options);
const bearer = (secret: string) => ({ headers: { authorization: `Bearer ${secret}` } });

const versionsOf = ({ updates }: TestClient) => updates.flatMap(({ versions }) => versions);

/** A contribution in a version that was published. */
async function merged(seed: number): Promise<Receipt> {
  const client = await connect();
  await client.value('watch', { campaignId: 'test' });
  const receipt = await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, seed));
  await vi.waitUntil(() => versionsOf(client).some(({ version }) => version > 0), { timeout: 10_000 });
  return receipt;
}

describe('access', () => {
  it('takes the token, in the header alone, and keeps nothing but its hash', async () => {
    expect((await ask('/campaigns', bearer(token))).status).toBe(200);
    const refused = await ask('/campaigns');
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect((await ask('/campaigns', bearer(`${token}x`))).status).toBe(401);
    expect((await ask(`/campaigns?token=${token}`)).status).toBe(401);
    const newer = await makeAdminToken(campaign.dataDir);
    expect((await ask('/campaigns', bearer(token))).status).toBe(401);
    expect((await ask('/campaigns', bearer(newer))).status).toBe(200);
    const sqlite = new SqliteDatabase(`${campaign.dataDir}/ledger.sqlite`, { readonly: true });
    const settings = JSON.stringify(sqlite.prepare('select * from settings').all());
    sqlite.close();
    expect(settings).toContain('admin_token_sha256');
    expect(settings).not.toContain(newer);
  });

  it('stops whoever guesses, and not whoever has the token at the same address', async () => {
    const statuses: number[] = [];
    for (let guess = 0; guess < 12; guess++) statuses.push((await ask('/campaigns', bearer(`guess ${guess}`))).status);
    expect(statuses[0]).toBe(401);
    expect(statuses.at(-1)).toBe(429);
    // Whoever has the token is let in all the same, though the address is one.
    expect((await ask('/campaigns', bearer(token))).status).toBe(200);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(figure(metrics, 'oneround_refusals_total{request="admin",code="forbidden"}')).toBe(10);
    expect(figure(metrics, 'oneround_refusals_total{request="admin",code="rate_limited"}')).toBe(2);
  });

  it('takes so many requests a minute from an address, right and wrong ones apart', async () => {
    const access = new AdminAccess(async () => createHash('sha256').update('right').digest('hex'));
    const outcome = (sent: string, address: string) =>
      access.check(`Bearer ${sent}`, address).then(
        () => 200,
        ({ status }: { status: number }) => status,
      );
    const outcomes = async (sent: string, count: number) => {
      const all: number[] = [];
      for (let i = 0; i < count; i++) all.push(await outcome(sent, 'one'));
      return all;
    };
    expect(await outcomes('wrong', 11)).toEqual([...Array<number>(10).fill(401), 429]);
    expect(await outcomes('right', 121)).toEqual([...Array<number>(120).fill(200), 429]);
    expect(await outcome('right', 'another')).toBe(200);
  });

  it('tells a token that is wrong, or was replaced, from none', async () => {
    const access = new AdminAccess(async () => createHash('sha256').update('right').digest('hex'));
    const of = (authorization?: string) => access.check(authorization, 'address');
    await expect(of('Bearer wrong')).rejects.toMatchObject({
      status: 401,
      message: expect.stringMatching(/not the admin token/),
    });
    for (const nothing of [undefined, 'right', 'Bearer ']) {
      await expect(of(nothing)).rejects.toMatchObject({
        status: 401,
        message: expect.stringMatching(/^Send the admin token/),
      });
    }
  });

  it('takes the guesses of one IPv6 network for those of one address', async () => {
    const access = new AdminAccess(async () => createHash('sha256').update('right').digest('hex'));
    const guess = (address: string) => access.check('Bearer wrong', address);
    for (let i = 0; i < 10; i++) await expect(guess(`2001:db8::${i}`)).rejects.toMatchObject({ status: 401 });
    await expect(guess('2001:db8::ffff')).rejects.toMatchObject({ status: 429 });
    await expect(guess('2001:db8:0:1::1')).rejects.toMatchObject({ status: 401 });
  });

  it('is closed while there is no token', async () => {
    const access = new AdminAccess(async () => null);
    await expect(access.check('Bearer x', 'address')).rejects.toMatchObject({ status: 403 });
  });
});

describe('an organiser', () => {
  it('pauses, opens and closes a campaign; observers and newcomers hear of it', async () => {
    const observer = await connect();
    await observer.value('watch', { campaignId: 'test' });
    expect(await organiser.campaigns()).toMatchObject([{ id: 'test', status: 'open', private: false }]);
    expect(await organiser.move('test', 'pause')).toBe('paused');
    // The counts may be a message of their own.
    await vi.waitFor(() => expect(observer.updates.at(-1)).toMatchObject({ counts: { status: 'paused' } }));
    expect(observer.updates.flatMap(({ log }) => log)).toMatchObject([{ kind: 'status' }]);
    const answer: Acknowledgement = await observer.ask('join', await observer.joinRequest());
    expect(answer).toMatchObject({ ok: false, error: { code: 'campaign_not_open' } });
    const { status } = (await (await fetch(`${server.url}/v1/campaigns/test/status`)).json()) as { status: string };
    expect(status).toBe('paused');
    await expect(organiser.move('test', 'pause')).rejects.toThrow(
      'A campaign must be open to pause; this one is paused.',
    );
    await organiser.move('test', 'open');
    await merged(1);
    expect(await organiser.move('test', 'close')).toBe('closing');
    await vi.waitFor(async () => expect((await state()).status).toBe('closed'), { timeout: 30_000, interval: 100 });
  });

  it('has the version without a contribution scored, though nothing is folded for it', async () => {
    const { contributionId } = await merged(1);
    const scored = async () => {
      const { versions, contributions } = await state();
      return [...versions.map(({ evaluation }) => evaluation), ...contributions.map(({ alone }) => alone)].every(
        Boolean,
      );
    };
    await vi.waitUntil(scored, { timeout: 30_000, interval: 100 });
    await organiser.withdraw(contributionId);
    expect((await state()).versions).toHaveLength(3);
    await vi.waitUntil(scored, { timeout: 30_000, interval: 100 });
  });

  it('withdraws a contribution, and everybody sees the version without it', async () => {
    const { contributionId } = await merged(1);
    expect(await organiser.contributions('test')).toMatchObject([{ contributionId, withdrawn: null }]);
    expect(await organiser.withdraw(contributionId)).toEqual({ campaignId: 'test', version: 2 });
    await vi.waitFor(() => expect(versionsOf(clients[0]!).some(({ version }) => version === 2)).toBe(true));
    const { versions, contributions } = await state();
    expect(contributionsIn(versions.at(-1)!.version, contributions)).toEqual([]);
    const again = await ask(`/contributions/${contributionId}/withdraw`, { method: 'POST', ...bearer(token) });
    expect([again.status, await again.json()]).toMatchObject([409, { error: { code: 'already_withdrawn' } }]);
    expect(await organiser.verify('test')).toMatchObject({ contributions: 1, withdrawn: 1, versions: 3 });
    // The new version is scored like any other.
    await vi.waitFor(async () => expect((await state()).versions.at(-1)!.evaluation).not.toBeNull(), {
      timeout: 30_000,
      interval: 100,
    });
  });

  it('hears what is not as recorded, by name', async () => {
    await merged(1);
    const sqlite = new SqliteDatabase(`${campaign.dataDir}/ledger.sqlite`);
    sqlite.exec('update versions set weight = weight + 1 where version = 1');
    sqlite.close();
    await expect(organiser.verify('test')).rejects.toThrow(/^campaign test: version 1: the weight should be/);
  });

  it('invites to a campaign, and takes an invite back', async () => {
    const { id, token: invite } = await organiser.createInvite('test', { maxUses: 2, expiresAt: null });
    expect(invite).toMatch(/^[\w-]{32}$/);
    expect(await organiser.listInvites('test')).toMatchObject([{ id, maxUses: 2, uses: 0 }]);
    await organiser.revokeInvite('test', id);
    expect(await organiser.listInvites('test')).toEqual([]);
    await expect(organiser.revokeInvite('test', id)).rejects.toThrow(`has no invite ${id}`);
  });

  it('deletes a campaign, whose volunteers are told so', async () => {
    const client = await connect();
    const { leaseId } = await client.join();
    const follower = await connect();
    const delta = seededDelta(follower.manifest.layout.size, 2);
    const { contributionId } = await follower.contribute(await follower.join(), delta);
    await follower.value('follow', { campaignId: 'test', contributionId });
    await merged(1);
    await organiser.deleteCampaign('test');
    await vi.waitUntil(() => !follower.socket.connected, { timeout: 10_000 });
    expect(await organiser.campaigns()).toEqual([]);
    expect((await fetch(`${server.url}/v1/campaigns/test`)).status).toBe(404);
    const { weights } = client.manifest.model;
    expect((await fetch(`${server.url}/v1/files/${weights[0]!.sha256}`)).status).toBe(404);
    await expect(client.value('heartbeat', { leaseId })).rejects.toThrow('unknown_lease');
    expect((await ask('/campaigns/test/pause', { method: 'POST', ...bearer(token) })).status).toBe(404);
  });

  it('is told what is wrong with a request', async () => {
    const post = (path: string, body: string) =>
      ask(path, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body,
      });
    for (const body of ['{"maxUses":0}', '{"uses":1}', '[]', '{"__proto__":{"maxUses":1}}', '{']) {
      const { status } = await post('/campaigns/test/invites', body);
      expect({ body, status }).toEqual({ body, status: 400 });
    }
    expect((await post('/campaigns/NO%2F..%2F/pause', '{}')).status).toBe(400);
    expect((await post('/contributions/1/withdraw', '{}')).status).toBe(400);
    expect((await ask('/nothing', bearer(token))).status).toBe(404);
  });
});

describe('a private campaign', () => {
  it('is in no list, and joined over the socket with an invite', async () => {
    const closed = makeTestCampaign({
      id: 'test',
      terms: { draft: false, private: true, clientsPerShard: 1, closeAt: {} },
    });
    const other = await startServer({
      ...{ host: '127.0.0.1', port: 0, dataDir: closed.dataDir, campaignFiles: [closed.file], logLevel: 'silent' },
    });
    try {
      const inviter = remoteOrganiser(other.url, await makeAdminToken(closed.dataDir));
      expect(await (await fetch(`${other.url}/v1/campaigns`)).json()).toEqual({ campaigns: [] });
      expect(await inviter.campaigns()).toMatchObject([{ id: 'test', private: true }]);
      const client = await TestClient.connect(other.url);
      clients.push(client);
      await expect(client.join()).rejects.toThrow('invite_needed: This campaign is private');
      const { token: invite } = await inviter.createInvite('test', { maxUses: null, expiresAt: null });
      expect((await client.join({ invite })).shard!.index).toBe(0);
      expect(await inviter.listInvites('test')).toMatchObject([{ uses: 1 }]);
    } finally {
      await other.close();
      closed.remove();
    }
  });
});

describe('the description', () => {
  it('is served, and names every admin route that the server has, with its parameters', async () => {
    const served: string[] = [];
    const app = Fastify();
    app.addHook('onRoute', ({ method, url }) => void (method !== 'HEAD' && served.push(`${String(method)} ${url}`)));
    const access = new AdminAccess(async () => null);
    addAdminRoutes(app, { organiser, access, activity: recordActivity().activity, addressOf: () => '' });
    const { paths } = openApiDocument() as {
      paths: Record<string, Record<string, { parameters: { name: string }[] }>>;
    };
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    );
    expect(described.toSorted()).toEqual(served.filter((route) => route.includes('/v1/admin/')).toSorted());
    expect(described).toHaveLength(Object.keys(adminRoutes).length);
    for (const [path, operations] of Object.entries(paths)) {
      for (const { parameters } of Object.values(operations)) {
        expect(parameters.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
      }
    }
    const document = (await (await fetch(`${server.url}/v1/openapi.json`)).json()) as { openapi: string };
    expect(document).toMatchObject({ openapi: '3.1.0', paths: { '/v1/admin/campaigns': { get: {} } } });
  });
});

describe('oneround campaign', () => {
  const program = resolve(import.meta.dirname, '../../bin/oneround.mjs');
  const run = (args: string[], env: NodeJS.ProcessEnv = {}, cwd = '.') =>
    promisify(execFile)(process.execPath, [program, ...args], { env: { ...process.env, ...env }, cwd });

  it('goes through a running server with the token, and says so without', { timeout: 180_000 }, async () => {
    const { dataDir } = campaign;
    await expect(run(['campaign', 'pause', 'test', '--data', dataDir])).rejects.toMatchObject({
      stderr: expect.stringContaining(`the admin API of a server that runs on ${dataDir}: put its token into`),
    });
    const env = { ONEROUND_ADMIN_TOKEN: token };
    const paused = await run(['campaign', 'pause', 'test', '--server', server.url], env);
    expect(paused.stdout).toBe('test is paused.\n');
    expect((await state()).status).toBe('paused');
    const opened = await run(['campaign', 'open', 'test'], { ...env, ONEROUND_SERVER: server.url });
    expect(opened.stdout).toBe('test is open.\n');
    await server.close();
    const elsewhere = {
      ONEROUND_SERVER: 'http://127.0.0.1:1',
      DATABASE_URL: 'postgres://oneround@127.0.0.1:1/oneround',
    };
    const listed = await run(['campaign', 'list', '--data', dataDir], { ...env, ...elsewhere });
    expect(listed.stdout).toBe('test  open  One-word answers\n');
    await expect(
      run(['campaign', 'list', '--data', dataDir, '--server', server.url], { ...env, ...elsewhere }),
    ).rejects.toMatchObject({
      stderr: expect.stringMatching(new RegExp(`${server.url} does not answer \\(connect ECONNREFUSED .*--server`)),
    });
    expect((await run(['admin-token', '--data', dataDir], elsewhere)).stdout).toMatch(/^\S{20,}\n$/);
  });

  it('finds data directory, Postgres and server in the configuration of `serve`', { timeout: 180_000 }, async () => {
    const { dataDir, folder } = campaign;
    const configure = (config: object) => writeFileSync(join(folder, 'oneround.config.json'), JSON.stringify(config));
    configure({ data: 'data', port: server.port });
    const env = { ONEROUND_ADMIN_TOKEN: token };
    // A server runs on the directory: the command goes through it.
    expect((await run(['campaign', 'pause', 'test'], env, folder)).stdout).toBe('test is paused.\n');
    const { stdout: link, stderr: remark } = await run(['campaign', 'invite', 'test'], env, folder);
    expect(remark).toBe('test is not private: anybody may join, with this link or without.\n');
    expect(link).toMatch(`http://127.0.0.1:${server.port}/c/test#invite=`);
    expect((await run(['verify'], {}, folder)).stdout).toMatch(/^test: 0 contributions/);
    configure({ data: 'data', port: 1 });
    const found = await run(['campaign', 'invite', 'test'], env, folder);
    expect(found.stdout).toMatch(`${server.url}/c/test#invite=`);
    expect(found.stderr).toContain(
      `The server that runs on ${dataDir} listens at ${server.url}, not at http://127.0.0.1:1,`,
    );
    const database = { DATABASE_URL: 'postgres://oneround:horse@db/oneround' };
    await expect(run(['campaign', 'list'], database, folder)).rejects.toMatchObject({
      stderr: expect.stringMatching(
        /^oneround: This goes through the admin API of a server on the Postgres (?!.*horse)/,
      ),
    });
    const fresh = await run(['admin-token'], {}, folder);
    await expect(run(['campaign', 'list', '--server', server.url], env)).rejects.toMatchObject({ code: 1 });
    await server.close();
    const listed = await run(['campaign', 'list', '--config', join(folder, 'oneround.config.json')]);
    expect(listed.stdout).toBe('test  paused  One-word answers\n');
    expect(fresh.stdout).toMatch(/^\S{20,}\n$/);
    expect(dataDir).toBe(join(folder, 'data'));
  });
});
