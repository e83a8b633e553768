/** A server from its start to its end: which campaigns it serves, whose leases it knows, and that it stops. */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { Manifest } from '@oneround/fl-core';
import { describe, expect, it, vi } from 'vitest';
import { defaultCampaign } from './cli/defaults.ts';
import { serverBed } from './testing/server-bed.ts';
import { makeTestCampaign } from './testing/test-campaign.ts';
import { serveTestCampaign } from './testing/test-server.ts';

const { on, start, connect, state } = serverBed();

const served = () => on.server.campaigns.map(({ id }) => id);

describe('the sample campaign', () => {
  const sample = { campaignFiles: [], sampleCampaignFile: defaultCampaign };

  it('is added to a ledger without campaigns alone', async () => {
    await start();
    await on.server.close();
    await start(sample);
    expect(served()).toEqual(['test']);
    expect(on.server.campaigns).toMatchObject([{ status: 'open', private: false }]);
    await on.server.close();
    await start({ ...sample, dataDir: `${on.campaign.dataDir}-fresh` });
    expect(served()).toEqual(['everyday']);
    await on.server.close();
    await start({ ...sample, campaignFiles: [on.campaign.file], dataDir: join(on.campaign.folder, 'named') });
    expect(served()).toEqual(['test']);
  });
});

describe('one server per data directory', () => {
  it('a second one says so and stops', async () => {
    await start();
    await expect(serveTestCampaign(on.campaign)).rejects.toThrow(/in use by another oneround server/);
  });

  it('a bad campaign file is named, with what is wrong in it', async () => {
    await start();
    const second = { dataDir: `${on.campaign.dataDir}-2`, file: '/nowhere.json' };
    await expect(serveTestCampaign(second)).rejects.toThrow(/nowhere\.json/);
  });
});

describe('leases', () => {
  const brief = { lease: { ttlMs: 1000, heartbeatMs: 200 } };

  it('lapse without a heartbeat, and the shard goes to the next', async () => {
    on.campaign.remove();
    on.campaign = makeTestCampaign({ ...brief });
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

describe('stopping', () => {
  it('waits for no silent connection, half a request or stalled download', async () => {
    await start();
    const { model } = (await (await fetch(`${on.server.url}/v1/campaigns/test`)).json()) as Manifest;
    const host = 'HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n';
    const download = `GET /v1/files/${model.weights[0]!.sha256} ${host}`;
    const sent = ['', 'GET /healthz HTTP/1.1\r\nhost:', download, `GET /healthz ${host}`];
    const sockets = sent.map((text) => {
      const socket = createConnection({ host: '127.0.0.1', port: on.server.port })
        .on('error', () => undefined)
        .pause();
      socket.write(text);
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    await new Promise((wait) => setTimeout(wait, 100));
    const began = performance.now();
    await on.server.close();
    expect(performance.now() - began).toBeLessThan(5000);
    for (const socket of sockets) socket.destroy();
  });
});
