/** What a server answers over HTTP: files, ranges, policies, and nothing to pages of other origins. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import { serverBed } from '../testing/server-bed.ts';
import type { TestClient } from '../testing/test-client.ts';

const { on, start } = serverBed();

describe('HTTP', () => {
  it('serves content-addressed files, and the held-out set to nobody', async () => {
    await start();
    const manifest = (await (await fetch(`${on.server.url}/v1/campaigns/test`)).json()) as TestClient['manifest'];
    for (const file of [...manifest.model.weights, manifest.model.config, manifest.model.tokenizer]) {
      const response = await fetch(`${on.server.url}/v1/files/${file.sha256}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(file.sha256);
      expect(response.headers.get('cache-control')).toContain('immutable');
      expect(Number(response.headers.get('content-length'))).toBe(file.bytes);
    }
    const heldOut = JSON.stringify(manifest.data);
    expect(heldOut).not.toContain('sha256');
    for (const path of [`/v1/files/${'0'.repeat(64)}`, '/v1/files/..%2f..%2fledger.sqlite', '/v1/nothing']) {
      const response = await fetch(`${on.server.url}${path}`);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { message: expect.any(String) } });
    }
    const unknown = await fetch(`${on.server.url}/v1/campaigns/nowhere`);
    expect(await unknown.json()).toMatchObject({ error: { code: 'unknown_campaign' } });
  });

  it('serves any range of a file, so that a broken download goes on where it was', async () => {
    await start();
    const { model } = (await (await fetch(`${on.server.url}/v1/campaigns/test`)).json()) as Manifest;
    const { sha256, bytes } = model.weights[0]!;
    const get = (headers: Record<string, string>) => fetch(`${on.server.url}/v1/files/${sha256}`, { headers });
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
    const webRoot = join(on.campaign.folder, 'page');
    mkdirSync(webRoot);
    writeFileSync(join(webRoot, 'index.html'), '<title>page</title>');
    await start({ webRoot });
    for (const path of ['/', '/c/test', '/c/test/live', '/v1/campaigns', '/nothing.txt']) {
      const [got, head] = await Promise.all(
        ['GET', 'HEAD'].map((method) => fetch(`${on.server.url}${path}`, { method })),
      );
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
    const url = () => `${on.server.url}/v1/campaigns/test`;
    const etag = (await fetch(url())).headers.get('etag')!;
    expect((await fetch(url(), { headers: { 'if-none-match': etag } })).status).toBe(304);
    await on.server.close();
    const changed = JSON.parse(readFileSync(on.campaign.file, 'utf8')) as { training: { epochs: number } };
    changed.training.epochs += 1;
    writeFileSync(on.campaign.file, JSON.stringify(changed));
    await start();
    const response = await fetch(url(), { headers: { 'if-none-match': etag } });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ training: changed.training });
  });

  it('sends a strict policy and cross-origin isolation with every answer', async () => {
    await start();
    const { headers } = await fetch(`${on.server.url}/v1/campaigns`);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('content-security-policy')).not.toContain('unsafe');
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(headers.get('cross-origin-embedder-policy')).toBe('require-corp');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.has('strict-transport-security')).toBe(false);
    const worker = await fetch(`${on.server.url}/assets/trainer.worker-abc.js`);
    expect(worker.headers.get('content-security-policy')).toContain("'wasm-unsafe-eval'");
  });
});

describe('pages of other origins', () => {
  it('may read no answer, whatever they ask and whether they ask first', async () => {
    const webRoot = join(on.campaign.folder, 'page');
    mkdirSync(webRoot);
    writeFileSync(join(webRoot, 'index.html'), '<title>page</title>');
    await start({ webRoot });
    const { model } = (await (await fetch(`${on.server.url}/v1/campaigns/test`)).json()) as Manifest;
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
        const answer = await fetch(`${on.server.url}${path}`, { method, headers });
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
