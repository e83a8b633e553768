import { Refusal, type Lease, type Manifest, type RequestOf } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import { FakeSocket } from '../testing/fake-socket.ts';
import { HeldLease, joinCampaign, LeaseMoved } from './held-lease.ts';
import { CampaignReplaced, checkOfLeases } from './same-campaign.ts';

const lease = (index: number): Lease => ({
  leaseId: `3b6f2a10-0000-4000-8000-00000000000${index}`,
  clientId: 'c0ffee',
  shard: { path: `shard-${index}`, bytes: 1, sha256: String(index).repeat(64), index, examples: 1 },
  maxLabelTokens: 1,
  expiresAt: 1,
  resumed: false,
});
const request = {
  campaignId: 'c',
  publicKey: '0'.repeat(64),
  device: { backend: 'wasm', description: '' },
  source: 'shard',
} as const;

const manifest = { id: 'c', name: 'C', adapter: { seed: 1 } } as Manifest;

/** A server that grants `answer`, and may refuse the next heartbeat. */
class Grants extends FakeSocket {
  joins: RequestOf<'join'>[] = [];
  answer: () => Lease = () => lease(1);
  refuseHeartbeat: Refusal | null = null;
  manifest = manifest;

  constructor() {
    super(async (name, body) => {
      if (name === 'join') {
        this.joins.push(body as RequestOf<'join'>);
        return this.answer();
      }
      const refusal = this.refuseHeartbeat;
      this.refuseHeartbeat = null;
      if (refusal) throw refusal;
      return { expiresAt: 2 };
    });
  }
}

function held(socket: Grants, heartbeatMs = 10_000) {
  const check = checkOfLeases(manifest, async () => socket.manifest);
  return new HeldLease(socket, request, lease(1), { heartbeatMs, signal: new AbortController().signal, check });
}

describe('a held lease', () => {
  it('is asked for again on every new connection', async () => {
    const socket = new Grants();
    const mine = held(socket);
    expect(socket.joins).toHaveLength(0);
    socket.reconnect();
    await mine.ready();
    expect(socket.joins.map((join) => join.resumeLeaseId)).toEqual([lease(1).leaseId]);
    expect(mine.lost.aborted).toBe(false);
    mine.release();
  });

  it('is lost at once when its round is over', async () => {
    const socket = new Grants();
    socket.refuseHeartbeat = new Refusal('stale_round', 'over');
    const mine = held(socket, 5);
    await expect.poll(() => mine.lost.aborted).toBe(true);
    expect(mine.lost.reason).toMatchObject({ code: 'stale_round' });
    expect(socket.joins).toHaveLength(0);
    mine.release();
  });

  it('is lost when the same shard comes back for another round', async () => {
    const socket = new Grants();
    socket.answer = () => ({ ...lease(1), base: { version: 1, values: null } });
    const mine = held(socket);
    socket.reconnect();
    await expect.poll(() => mine.lost.aborted).toBe(true);
    expect(mine.lost.reason).toBeInstanceOf(LeaseMoved);
    mine.release();
  });

  it('is lost when the same shard comes back for another campaign in its place, not for one in other words', async () => {
    const socket = new Grants();
    socket.manifest = { ...manifest, name: 'In other words' };
    const mine = held(socket);
    socket.reconnect();
    await mine.ready();
    expect(mine.lost.aborted).toBe(false);
    socket.manifest = { ...manifest, adapter: { ...manifest.adapter, seed: 2 } } as Manifest;
    socket.reconnect();
    await expect(mine.ready()).rejects.toThrow(CampaignReplaced);
    mine.release();
  });

  it('is asked for again when a heartbeat finds it expired', async () => {
    const socket = new Grants();
    socket.refuseHeartbeat = new Refusal('lease_expired', 'gone');
    const mine = held(socket, 5);
    await expect.poll(() => socket.joins).toHaveLength(1);
    mine.release();
  });

  it('is lost when the server gives another shard', async () => {
    const socket = new Grants();
    socket.answer = () => lease(2);
    const mine = held(socket);
    socket.reconnect();
    await expect(mine.ready()).rejects.toThrow(LeaseMoved);
    expect((mine.lost.reason as LeaseMoved).lease.shard?.index).toBe(2);
    mine.release();
  });

  it('is lost when the server refuses to give any', async () => {
    const socket = new Grants();
    socket.answer = () => {
      throw new Refusal('campaign_closed', 'closed');
    };
    const mine = held(socket);
    socket.reconnect();
    await expect(mine.ready()).rejects.toMatchObject({ code: 'campaign_closed' });
    mine.release();
  });
});

it.each(['no_shard_free', 'campaign_not_open'] as const)(
  'joining waits after %s, says why, until it is stopped',
  async (code) => {
    const socket = new Grants();
    socket.answer = () => {
      throw new Refusal(code, 'come back later');
    };
    const stop = new AbortController();
    const reasons: string[] = [];
    const joining = joinCampaign(socket, request, stop.signal, (reason) => {
      reasons.push(reason);
      setTimeout(() => stop.abort(new Error('stopped')), 5);
    });
    await expect(joining).rejects.toThrow('stopped');
    expect(reasons).toEqual(['come back later']);
  },
);

it('joining ends when no shard is left, and says so', async () => {
  const socket = new Grants();
  socket.answer = () => {
    throw new Refusal('no_shard_left', 'Every shard has its contribution.');
  };
  const waits: string[] = [];
  const joining = joinCampaign(socket, request, new AbortController().signal, (reason) => waits.push(reason));
  await expect(joining).rejects.toMatchObject({ code: 'no_shard_left' });
  expect(waits).toEqual([]);
});
