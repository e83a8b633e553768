import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { applyCampaignUpdate } from '@oneround/client/connection';
import { readSafetensors } from '@oneround/lora/checkpoint';
import {
  encodeDelta,
  ExactFold,
  SeededRandom,
  type CampaignState,
  type Lease,
  type Manifest,
  type Receipt,
} from '@oneround/fl-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultCampaign } from './cli/defaults.ts';
import { startServer, type RunningServer, type ServerOptions } from './server.ts';
import { makeTestCampaign, type TestCampaign } from './testing/test-campaign.ts';
import { seededDelta, TestClient } from './testing/test-client.ts';

let campaign: TestCampaign;
let server: RunningServer;
const clients: TestClient[] = [];

async function start(changes: Partial<ServerOptions> = {}): Promise<void> {
  server = await startServer({
    host: '127.0.0.1',
    port: 0,
    dataDir: campaign.dataDir,
    campaignFiles: [campaign.file],
    logLevel: 'silent',
    ...changes,
  });
}

async function connect(keys?: CryptoKeyPair): Promise<TestClient> {
  const client = await TestClient.connect(server.url, keys);
  clients.push(client);
  return client;
}

async function state(): Promise<CampaignState> {
  return (await (await fetch(`${server.url}/v1/campaigns/test/state`)).json()) as CampaignState;
}

async function newestVersion(contributions: number) {
  return vi.waitFor(
    async () => {
      const { versions, totals } = await state();
      expect(totals.merged).toBe(contributions);
      return versions.at(-1)!;
    },
    { timeout: 10_000, interval: 20 },
  );
}

/** Watches the campaign; what is returned gives the state as this observer has it now. */
async function watcher(): Promise<() => CampaignState> {
  const observer = await connect();
  await observer.value('watch', { campaignId: 'test' });
  const first = await state();
  return () => observer.updates.reduce(applyCampaignUpdate, first);
}

const served = () => server.campaigns.map(({ id }) => id);

/** `ok`, or the refusal's code. */
async function answerTo(client: TestClient, event: string, body: unknown): Promise<string> {
  const answer = await client.ask(event, body);
  return answer.ok ? 'ok' : answer.error.code;
}

function rows({ clients, contributions, versions, log, totals }: CampaignState) {
  return { clients, contributions, versions, log, totals };
}

beforeEach(() => {
  campaign = makeTestCampaign();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
  campaign.remove();
});

describe('a round', () => {
  it('ends in the same bits whatever the order, and equals the exact fold', async () => {
    const hashes = new Set<string>();
    for (const order of [
      [0, 1, 2],
      [2, 0, 1],
      [1, 2, 0],
    ]) {
      await start();
      const held: { client: TestClient; lease: Lease }[] = [];
      for (let i = 0; i < 3; i++) {
        const client = await connect();
        held.push({ client, lease: await client.join() });
      }
      expect(held.map(({ lease }) => lease.shard!.index)).toEqual([0, 1, 2]);
      const { layout, weightScale } = held[0]!.client.manifest;
      const fold = new ExactFold(layout.size);
      for (const i of order) {
        const { client, lease } = held[i]!;
        await client.contribute(lease, seededDelta(layout.size, i + 1));
        fold.add(seededDelta(layout.size, i + 1), (await client.labelTokens(lease)) * weightScale);
      }
      const version = await newestVersion(3);
      const mean = new Uint8Array(fold.mean().buffer);
      expect(version.sha256).toBe(createHash('sha256').update(mean).digest('hex'));
      hashes.add(version.sha256);
      await server.close();
      campaign.remove();
      campaign = makeTestCampaign();
    }
    expect(hashes.size).toBe(1);
    await start();
  });

  it('exports what the dashboard says, and it is the merged adapter', async () => {
    await start();
    const client = await connect();
    const lease = await client.join();
    const { layout } = client.manifest;
    await client.contribute(lease, seededDelta(layout.size, 5));
    const version = await newestVersion(1);
    const response = await fetch(`${server.url}/v1/campaigns/test/versions/latest/adapter_model.safetensors`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(version.exportSha256);
    const tensors = readSafetensors(bytes);
    const first = layout.tensors[0]!;
    const values = tensors.get(first.name)!.values;
    seededDelta(layout.size, 5)
      .subarray(0, values.length)
      .forEach((value, i) => expect(Math.abs(values[i]! - value)).toBeLessThan(1e-6));
    expect(response.headers.get('cache-control')).toBe('no-cache');
    const config = await fetch(`${server.url}/v1/campaigns/test/versions/latest/adapter_config.json`);
    expect(await config.json()).toMatchObject({ peft_type: 'LORA', task_type: 'CAUSAL_LM' });
  });

  it('evaluates the base, every version and every contribution alone', async () => {
    await start();
    const client = await connect();
    await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 5));
    await vi.waitFor(
      async () => {
        const { versions, contributions } = await state();
        expect(versions.map(({ evaluation }) => evaluation?.examples)).toEqual([8, 8]);
        expect(contributions[0]!.alone!.loss).toBeCloseTo(versions[1]!.evaluation!.loss, 5);
      },
      { timeout: 30_000, interval: 100 },
    );
  });

  it('tells observers of everything: joins, contribution, version', async () => {
    await start();
    const observer = await connect();
    await observer.value('watch', { campaignId: 'test' });
    const before = await state();
    expect(before.online).toBe(0);
    const client = await connect();
    await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 1));
    const seen = () => observer.updates.reduce(applyCampaignUpdate, before);
    await vi.waitFor(() => expect(seen().totals).toMatchObject({ merged: 1, versions: 2 }), { timeout: 5000 });
    expect(seen()).toMatchObject({
      online: 1,
      shards: { total: 3, leased: 0, contributed: 1, givenUp: 0 },
      clients: [{ phase: 'contributed' }],
      contributions: [{ sequence: 1, foldedVersion: 1 }],
      versions: [{ version: 0 }, { version: 1 }],
    });
    expect(seen().log.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['merged', 'accepted', 'joined']));
  });

  it('shows who comes late what everybody else sees', async () => {
    await start();
    const watchers = [await watcher()];
    const come = async (seed: number) => {
      const client = await connect();
      const lease = await client.join();
      watchers.push(await watcher());
      await client.contribute(lease, seededDelta(client.manifest.layout.size, seed));
      watchers.push(await watcher());
    };
    await Promise.all([come(1), come(2), come(3)]);
    await vi.waitFor(
      async () => {
        const now = rows(await state());
        expect(now.versions.every(({ evaluation }) => evaluation)).toBe(true);
        expect(now.contributions.filter(({ alone }) => alone)).toHaveLength(3);
        for (const seen of watchers) expect(rows(seen())).toEqual(now);
      },
      { timeout: 40_000, interval: 200 },
    );
  });

  it('tells a volunteer of the version that holds its contribution, and nothing else', async () => {
    await start();
    const client = await connect();
    const receipt = await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 1));
    const ids = { campaignId: 'test', contributionId: receipt.contributionId };
    await client.value('follow', ids);
    await vi.waitFor(() => expect(client.news.flatMap(({ versions }) => versions)).toContain(1), { timeout: 20_000 });
    await vi.waitFor(
      async () =>
        expect(await client.value('follow', ids)).toMatchObject({
          version: 1,
          before: expect.any(Number),
          after: expect.any(Number),
        }),
      { timeout: 20_000, interval: 100 },
    );
    expect(client.updates).toEqual([]);
  });

  it('shows a new version soon after the last chunk, four clients at once', async () => {
    campaign.remove();
    campaign = makeTestCampaign({}, { shards: 4 });
    await start();
    const observer = await connect();
    await observer.value('watch', { campaignId: 'test' });
    const joined = await Promise.all(
      [1, 2, 3, 4].map(async (seed) => {
        const client = await connect();
        return { client, lease: await client.join(), seed };
      }),
    );
    const delays = await Promise.all(
      joined.map(async ({ client, lease, seed }) => {
        const receipt = await client.contribute(lease, seededDelta(client.manifest.layout.size, seed));
        const finished = performance.now();
        await vi.waitFor(
          () => {
            const held = observer.updates.some(({ contributions }) =>
              contributions.some((row) => row.contributionId === receipt.contributionId && row.foldedVersion !== null),
            );
            expect(held).toBe(true);
          },
          { interval: 5, timeout: 5000 },
        );
        return performance.now() - finished;
      }),
    );
    console.log(`last chunk to visible version: ${delays.map((delay) => delay.toFixed(0)).join(', ')} ms`);
    expect(Math.max(...delays)).toBeLessThan(5000);
  });
});

describe('what is refused', () => {
  it('has a typed code and a sentence each time, and the server goes on serving', async () => {
    await start();
    const client = await connect();
    const size = client.manifest.layout.size;
    const refusal = async (event: string, body: unknown) => {
      const answer = await client.ask(event, body);
      expect(answer.ok).toBe(false);
      if (answer.ok) return '';
      expect(answer.error.message.length).toBeGreaterThan(10);
      return answer.error.code;
    };
    // Frames that fit no schema.
    expect(await refusal('join', { garbage: true })).toBe('malformed');
    expect(await refusal('join', null)).toBe('malformed');
    expect(await refusal('no-such-event', {})).toBe('malformed');
    expect(await refusal('__proto__', {})).toBe('malformed');
    expect(await refusal('error', {})).toBe('malformed');
    expect(await refusal('upload.begin', [1, 2])).toBe('malformed');
    // Events without an acknowledgement.
    client.socket.emit('join', { garbage: true });
    client.socket.emit('upload.finish');
    client.socket.emit('error', 'boom');
    // Joins.
    expect(await refusal('join', await client.joinRequest({ campaignId: 'nowhere' }))).toBe('unknown_campaign');
    expect(await refusal('join', await client.joinRequest({ protocol: 99 }))).toBe('protocol_version');
    expect(await refusal('watch', { campaignId: 'nowhere' })).toBe('unknown_campaign');
    expect(await refusal('heartbeat', { leaseId: randomUUID() })).toBe('unknown_lease');
    // Uploads.
    const lease = await client.join();
    const bytes = encodeDelta(seededDelta(size, 1), 'f32');
    const begin = (changes: object) => client.beginMessage(lease, bytes, changes);
    expect(await refusal('upload.begin', await begin({ bytes: bytes.byteLength * 2 }))).toBe('too_large');
    expect(await refusal('upload.begin', await begin({ bytes: bytes.byteLength - 4 }))).toBe('wrong_shape');
    expect(await refusal('upload.begin', await begin({ codec: 'int8' }))).toBe('malformed');
    expect(await refusal('upload.begin', await begin({ layoutHash: 'ab'.repeat(32) }))).toBe('wrong_layout');
    expect(await refusal('upload.begin', await begin({ labelTokens: 999_999 }))).toBe('bad_weight');
    expect(await refusal('upload.begin', await begin({ signature: '00'.repeat(64) }))).toBe('bad_signature');
    expect(await refusal('upload.begin', await begin({ localLoss: Number.NaN }))).toBe('malformed');
    expect(await refusal('upload.begin', await begin({ leaseId: randomUUID() }))).toBe('unknown_lease');
    const unknown = randomUUID();
    expect(await refusal('upload.finish', { contributionId: unknown })).toBe('unknown_upload');
    expect(await refusal('upload.chunk', { contributionId: unknown, offset: 0, data: new Uint8Array(3) })).toBe(
      'unknown_upload',
    );
    const good = await begin({});
    await client.value('upload.begin', good);
    const { contributionId } = good;
    const chunk = { contributionId, offset: 10, data: bytes.slice(0, 10) };
    expect(await refusal('upload.chunk', chunk)).toBe('wrong_offset');
    expect(await refusal('upload.finish', { contributionId })).toBe('wrong_offset');
    expect(await refusal('upload.begin', await begin({ contributionId, sha256: 'cd'.repeat(32) }))).toBe('wrong_hash');

    // Bytes that are complete and bad: another hash, NaN, too long a norm.
    const send = async (announced: Uint8Array, sent: Uint8Array) => {
      const message = await client.beginMessage(lease, announced);
      await client.value('upload.begin', message);
      await client.sendChunks(message.contributionId, sent);
      return refusal('upload.finish', { contributionId: message.contributionId });
    };
    expect(await send(bytes, encodeDelta(seededDelta(size, 2), 'f32'))).toBe('wrong_hash');
    const poisoned = bytes.slice();
    new DataView(poisoned.buffer).setFloat32(12, Number.NaN, true);
    expect(await send(poisoned, poisoned)).toBe('not_finite');
    const huge = encodeDelta(new Float32Array(size).fill(10), 'f32');
    expect(await send(huge, huge)).toBe('norm_too_large');
    const reshaped = bytes.slice();
    new DataView(reshaped.buffer).setUint32(8, 7, true);
    expect(await send(reshaped, reshaped)).toBe('wrong_shape');

    // And still: an honest contribution, its receipt again, a spent lease, a replay by somebody else.
    const accepted = await client.beginMessage(lease, bytes);
    await client.value('upload.begin', accepted);
    await client.sendChunks(accepted.contributionId, bytes);
    const receipt = await client.value<Receipt>('upload.finish', { contributionId: accepted.contributionId });
    expect(receipt).toEqual({
      contributionId: accepted.contributionId,
      sequence: 1,
      repeated: false,
      quarantined: false,
    });
    expect(await client.value('upload.finish', { contributionId: accepted.contributionId })).toEqual({
      ...receipt,
      repeated: true,
    });
    expect(await refusal('upload.begin', await begin({}))).toBe('lease_spent');
    const thief = await connect();
    const theirs = await thief.join();
    const replay = await thief.beginMessage(theirs, bytes);
    await thief.value('upload.begin', replay);
    const answer = await thief.ask('upload.finish', { contributionId: replay.contributionId });
    expect(answer).toMatchObject({ ok: false, error: { code: 'duplicate' } });
    expect((await newestVersion(1)).version).toBe(1);
    const { clients: rows } = await state();
    expect(rows.find(({ leaseId }) => leaseId === theirs.leaseId)!.refusal).toMatchObject({ code: 'duplicate' });
  });

  it('a lease of another connection is nobody else’s to use', async () => {
    await start();
    const owner = await connect();
    const { leaseId } = await owner.join();
    const other = await connect();
    const figures = { epoch: 0, epochs: 1, step: 1, steps: 9, tokensPerSecond: 1, loss: 2, bytesDown: 1 };
    const requests = { heartbeat: {}, leave: {}, progress: { phase: 'training', ...figures } };
    for (const [event, body] of Object.entries(requests)) {
      const answer = await other.ask(event, { leaseId, ...body });
      expect(answer).toMatchObject({ ok: false, error: { code: 'unknown_lease' } });
    }
    // Nor can another key resume it.
    expect((await other.join({ resumeLeaseId: leaseId })).leaseId).not.toBe(leaseId);
  });

  it('an upload is nobody else’s to write to or to finish, though its id is known', async () => {
    await start();
    const owner = await connect();
    const lease = await owner.join();
    const bytes = encodeDelta(seededDelta(owner.manifest.layout.size, 1), 'f32');
    const begin = await owner.beginMessage(lease, bytes);
    const { contributionId, leaseId } = begin;
    await owner.value('upload.begin', begin);
    const stored = await owner.sendChunks(contributionId, bytes, 0, owner.manifest.upload.chunkBytes);
    const thief = await connect();
    await thief.join();
    const garbage = { contributionId, offset: stored, data: new Uint8Array(owner.manifest.upload.chunkBytes) };
    expect(await answerTo(thief, 'upload.chunk', garbage)).toBe('unknown_upload');
    expect(await answerTo(thief, 'upload.finish', { contributionId })).toBe('unknown_upload');
    expect(await answerTo(thief, 'upload.begin', begin)).toBe('unknown_lease');
    const ownLease = (await thief.join()).leaseId;
    expect(await answerTo(thief, 'upload.begin', { ...begin, leaseId: ownLease })).not.toBe('ok');
    expect(await answerTo(thief, 'upload.chunk', garbage)).toBe('unknown_upload');

    await owner.sendChunks(contributionId, bytes, stored);
    const receipt = await owner.value<Receipt>('upload.finish', { contributionId });
    expect(receipt).toMatchObject({ sequence: 1, repeated: false });
    expect(await answerTo(thief, 'upload.finish', { contributionId })).toBe('unknown_upload');
    // Its owner begins it again with another connection.
    const again = await connect(owner.keys);
    await again.join({ resumeLeaseId: leaseId });
    expect(await answerTo(again, 'upload.finish', { contributionId })).toBe('unknown_upload');
    expect(await again.value('upload.begin', begin)).toEqual({ offset: bytes.byteLength });
    expect(await again.value('upload.finish', { contributionId })).toEqual({ ...receipt, repeated: true });
    // Whoever takes a lease up again names the key it was granted to, which nobody is shown.
    const { publicKey } = (await owner.joinRequest()) as { publicKey: string };
    const pages = ['', '/state', '/contributions', '/status'].map((page) => `/v1/campaigns/test${page}`);
    const shown = await Promise.all(pages.map(async (page) => (await fetch(`${server.url}${page}`)).text()));
    expect(shown.join()).toContain(leaseId);
    for (const secret of [publicKey, begin.signature]) expect(shown.join()).not.toContain(secret);
  });

  it('a full disk: typed, nothing half-stored, and the server stays up', async () => {
    await start({ maxDataBytes: 1 });
    const client = await connect();
    const lease = await client.join();
    const bytes = encodeDelta(seededDelta(client.manifest.layout.size, 1), 'f32');
    const answer = await client.ask('upload.begin', await client.beginMessage(lease, bytes));
    expect(answer).toMatchObject({ ok: false, error: { code: 'storage_full' } });
    expect((await fetch(`${server.url}/healthz`)).ok).toBe(true);
    expect((await state()).contributions).toEqual([]);
  });

  it('survives a thousand random frames', async () => {
    await start();
    const random = new SeededRandom(9);
    const pick = <T>(items: readonly T[]) => items[random.nextInt(items.length)]!;
    const names = [
      'join',
      'heartbeat',
      'progress',
      'upload.begin',
      'upload.chunk',
      'upload.finish',
      'leave',
      'watch',
      'error',
      'x',
    ];
    let client = await connect();
    for (let i = 0; i < 1000; i++) {
      if (!client.socket.connected) client = await connect(); // the error budget hung up on it
      const bodies = [
        null,
        0,
        'text',
        [],
        {},
        { leaseId: 1 },
        { data: new Uint8Array(5) },
        await client.joinRequest(),
        Number.NaN,
      ];
      client.socket.emit(pick(names), pick(bodies), pick([1, () => undefined]));
    }
    const survivor = await connect();
    expect(await survivor.value('watch', { campaignId: 'test' })).toEqual({});
  });
});

describe('leases', () => {
  const brief = { lease: { ttlMs: 1000, heartbeatMs: 200 } };

  it('lapse without a heartbeat, and the shard goes to the next', async () => {
    campaign.remove();
    campaign = makeTestCampaign({ ...brief });
    await start();
    const first = await connect();
    const lost = await first.join();
    const others = await Promise.all([connect(), connect()]);
    const kept = await Promise.all(others.map((client) => client.join()));
    const next = await connect();
    expect(await next.ask('join', await next.joinRequest())).toMatchObject({ error: { code: 'no_shard_free' } });
    const beating = setInterval(() => {
      others.forEach((client, i) => void client.ask('heartbeat', { leaseId: kept[i]!.leaseId }));
    }, 200);
    const lease = await vi.waitFor(() => next.join(), { timeout: 5000, interval: 100 });
    clearInterval(beating);
    expect(lease.shard!.index).toBe(lost.shard!.index);
    await vi.waitFor(async () => {
      expect((await state()).clients.find(({ leaseId }) => leaseId === lost.leaseId)!.phase).toBe('gone');
    });
    const stale = await first.ask('heartbeat', { leaseId: lost.leaseId });
    expect(stale).toMatchObject({ error: { code: 'lease_expired' } });
  });

  it('outlive a disconnect: the same key resumes the same lease', async () => {
    await start();
    const client = await connect();
    const lease = await client.join();
    client.close();
    const again = await connect(client.keys);
    expect(await again.join({ resumeLeaseId: lease.leaseId })).toMatchObject({ leaseId: lease.leaseId, resumed: true });
  });

  it('are given back by leave, at once', async () => {
    await start();
    const client = await connect();
    const lease = await client.join();
    await client.value('leave', { leaseId: lease.leaseId });
    expect((await (await connect()).join()).shard!.index).toBe(lease.shard!.index);
  });
});

describe('HTTP', () => {
  it('serves content-addressed files, and the held-out set to nobody', async () => {
    await start();
    const manifest = (await (await fetch(`${server.url}/v1/campaigns/test`)).json()) as TestClient['manifest'];
    for (const file of [...manifest.model.weights, manifest.model.config, manifest.model.tokenizer]) {
      const response = await fetch(`${server.url}/v1/files/${file.sha256}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(file.sha256);
      expect(response.headers.get('cache-control')).toContain('immutable');
      expect(Number(response.headers.get('content-length'))).toBe(file.bytes);
    }
    const heldOut = JSON.stringify(manifest.data);
    expect(heldOut).not.toContain('sha256');
    for (const path of [`/v1/files/${'0'.repeat(64)}`, '/v1/files/..%2f..%2fledger.sqlite', '/v1/nothing']) {
      const response = await fetch(`${server.url}${path}`);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { message: expect.any(String) } });
    }
    const unknown = await fetch(`${server.url}/v1/campaigns/nowhere`);
    expect(await unknown.json()).toMatchObject({ error: { code: 'unknown_campaign' } });
  });

  it('serves any range of a file, so that a broken download goes on where it was', async () => {
    await start();
    const { model } = (await (await fetch(`${server.url}/v1/campaigns/test`)).json()) as Manifest;
    const { sha256, bytes } = model.weights[0]!;
    const get = (headers: Record<string, string>) => fetch(`${server.url}/v1/files/${sha256}`, { headers });
    const whole = new Uint8Array(await (await get({})).arrayBuffer());
    const rest = await get({ range: 'bytes=1000-', 'if-range': `"${sha256}"` });
    expect(rest.status).toBe(206);
    expect(rest.headers.get('content-range')).toBe(`bytes 1000-${bytes - 1}/${bytes}`);
    expect(rest.headers.get('etag')).toBe(`"${sha256}"`);
    expect(new Uint8Array(await rest.arrayBuffer())).toEqual(whole.subarray(1000));
    const middle = await get({ range: 'bytes=5-9' });
    expect(new Uint8Array(await middle.arrayBuffer())).toEqual(whole.subarray(5, 10));
    // A range of some other content is of no use: the whole file comes.
    const other = await get({ range: 'bytes=1000-', 'if-range': `"${'0'.repeat(64)}"` });
    expect([other.status, (await other.arrayBuffer()).byteLength]).toEqual([200, bytes]);
    const beyond = await get({ range: `bytes=${bytes}-` });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${bytes}`]);
    expect(await beyond.json()).toMatchObject({ error: { message: expect.any(String) } });
  });

  it("answers HEAD as GET, also where the page's own routes are", async () => {
    const webRoot = join(campaign.folder, 'page');
    mkdirSync(webRoot);
    writeFileSync(join(webRoot, 'index.html'), '<title>page</title>');
    await start({ webRoot });
    for (const path of ['/', '/c/test', '/c/test/live', '/v1/campaigns', '/nothing.txt']) {
      const [got, head] = await Promise.all(['GET', 'HEAD'].map((method) => fetch(`${server.url}${path}`, { method })));
      expect([path, got!.status]).toEqual([path, path === '/nothing.txt' ? 404 : 200]);
      expect([path, head!.status, head!.headers.get('content-type')]).toEqual([
        path,
        got!.status,
        got!.headers.get('content-type'),
      ]);
      expect(await head!.text()).toBe('');
    }
  });

  it('revalidates the manifest, and never calls a changed campaign unchanged', async () => {
    await start();
    const url = () => `${server.url}/v1/campaigns/test`;
    const etag = (await fetch(url())).headers.get('etag')!;
    expect((await fetch(url(), { headers: { 'if-none-match': etag } })).status).toBe(304);
    await server.close();
    const changed = JSON.parse(readFileSync(campaign.file, 'utf8')) as { training: { epochs: number } };
    changed.training.epochs += 1;
    writeFileSync(campaign.file, JSON.stringify(changed));
    await start();
    const response = await fetch(url(), { headers: { 'if-none-match': etag } });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ training: changed.training });
  });

  it('sends a strict policy and cross-origin isolation with every answer', async () => {
    await start();
    const { headers } = await fetch(`${server.url}/v1/campaigns`);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('content-security-policy')).not.toContain('unsafe');
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(headers.get('cross-origin-embedder-policy')).toBe('require-corp');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.has('strict-transport-security')).toBe(false);
    const worker = await fetch(`${server.url}/assets/trainer.worker-abc.js`);
    expect(worker.headers.get('content-security-policy')).toContain("'wasm-unsafe-eval'");
  });
});

describe('the sample campaign', () => {
  const sample = { campaignFiles: [], sampleCampaignFile: defaultCampaign };

  it('is added to a ledger without campaigns alone', async () => {
    await start();
    await server.close();
    await start(sample);
    expect(served()).toEqual(['test']);
    expect(server.campaigns).toMatchObject([{ status: 'open', private: false }]);
    await server.close();
    await start({ ...sample, dataDir: `${campaign.dataDir}-fresh` });
    expect(served()).toEqual(['everyday']);
    await server.close();
    await start({ ...sample, campaignFiles: [campaign.file], dataDir: join(campaign.folder, 'named') });
    expect(served()).toEqual(['test']);
  });
});

describe('pages of other origins', () => {
  it('may read no answer, whatever they ask and whether they ask first', async () => {
    const webRoot = join(campaign.folder, 'page');
    mkdirSync(webRoot);
    writeFileSync(join(webRoot, 'index.html'), '<title>page</title>');
    await start({ webRoot });
    const { model } = (await (await fetch(`${server.url}/v1/campaigns/test`)).json()) as Manifest;
    const paths = [
      ...['/', '/c/test', '/healthz', '/metrics', '/v1/openapi.json', '/v1/nothing'],
      ...['/v1/campaigns', '/v1/campaigns/test', '/v1/campaigns/test/state', '/v1/campaigns/test/contributions'],
      ...[`/v1/files/${model.weights[0]!.sha256}`, '/v1/campaigns/test/versions/latest/adapter_config.json'],
      ...['/v1/admin/campaigns', '/v1/admin/campaigns/test/pause', '/socket.io/?EIO=4&transport=polling'],
    ];
    const preflight = {
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization, content-type',
    };
    for (const path of paths) {
      for (const [method, more] of Object.entries({ GET: {}, POST: {}, OPTIONS: preflight })) {
        const headers = { origin: 'https://elsewhere.example', ...more };
        const answer = await fetch(`${server.url}${path}`, { method, headers });
        await answer.arrayBuffer();
        const allowing = [...answer.headers.keys()].filter((name) => name.startsWith('access-control-'));
        expect([method, path, allowing]).toEqual([method, path, []]);
        expect([method, path, answer.headers.get('cross-origin-resource-policy')]).toEqual([
          ...[method, path],
          path.startsWith('/socket.io') ? null : 'same-origin',
        ]);
        if (method === 'OPTIONS') expect([path, answer.ok]).toEqual([path, false]);
      }
    }
  });
});

describe('one server per data directory', () => {
  it('a second one says so and stops', async () => {
    await start();
    const second = { host: '127.0.0.1', port: 0, dataDir: campaign.dataDir, campaignFiles: [campaign.file] };
    await expect(startServer({ ...second, logLevel: 'silent' })).rejects.toThrow(/in use by another oneround server/);
  });

  it('a bad campaign file is named, with what is wrong in it', async () => {
    await start();
    const options = { host: '127.0.0.1', port: 0, dataDir: `${campaign.dataDir}-2`, campaignFiles: ['/nowhere.json'] };
    await expect(startServer({ ...options, logLevel: 'silent' })).rejects.toThrow(/nowhere\.json/);
  });
});

describe('stopping', () => {
  it('waits for no silent connection, half a request or stalled download', async () => {
    await start();
    const { model } = (await (await fetch(`${server.url}/v1/campaigns/test`)).json()) as Manifest;
    const host = 'HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n';
    const download = `GET /v1/files/${model.weights[0]!.sha256} ${host}`;
    const sent = ['', 'GET /healthz HTTP/1.1\r\nhost:', download, `GET /healthz ${host}`];
    const sockets = sent.map((text) => {
      const socket = createConnection({ host: '127.0.0.1', port: server.port })
        .on('error', () => undefined)
        .pause();
      socket.write(text);
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    await new Promise((wait) => setTimeout(wait, 100));
    const began = performance.now();
    await server.close();
    expect(performance.now() - began).toBeLessThan(5000);
    for (const socket of sockets) socket.destroy();
  });
});
