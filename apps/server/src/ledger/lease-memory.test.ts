import { expect, it } from 'vitest';
import { LeaseMemory, type LastWrite } from './lease-memory.ts';

const TTL_MS = 1000;

function write(at: number, campaignId = 'one'): LastWrite {
  const holder = { campaignId, publicKey: 'key', shardIndex: 0, baseVersion: 0 };
  return { holder, at, ttlMs: TTL_MS, expiresAt: at + TTL_MS, stored: '{}', client: {} as LastWrite['client'] };
}

it('holds as many leases as are live, however many there were', () => {
  const memory = new LeaseMemory();
  for (let at = 0; at < 100 * TTL_MS; at += 100) memory.set(`lease ${at}`, write(at));
  expect(memory.size).toBe(TTL_MS / 100);
});

it('holds a lease for as long as it is written, however old it is', () => {
  const memory = new LeaseMemory();
  for (let at = 0; at < 10 * TTL_MS; at += 100) {
    memory.set('kept', write(at));
    memory.set(`lease ${at}`, write(at));
  }
  expect(memory.get('kept')).toMatchObject({ at: 10 * TTL_MS - 100 });
  expect(memory.get('lease 0')).toBeUndefined();
});

it('forgets the leases of one campaign, and one that ended', () => {
  const memory = new LeaseMemory();
  memory.set('a', write(0));
  memory.set('b', write(1, 'other'));
  memory.set('c', write(2));
  memory.forget('one');
  expect(memory.size).toBe(1);
  memory.delete('b');
  expect(memory.size).toBe(0);
});
