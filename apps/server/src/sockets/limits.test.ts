import { EventEmitter, once } from 'node:events';
import { expect, it } from 'vitest';
import { AddressLimits, ByteBudget, socketLimits } from './limits.ts';

it('counts the connections of each address by itself, and forgets those that are gone', () => {
  const limits = new AddressLimits({ ...socketLimits, socketsPerAddress: 2 });
  limits.connected('a');
  limits.connected('a');
  expect([limits.mayConnect('a'), limits.mayConnect('b')]).toEqual([false, true]);
  limits.disconnected('a');
  expect(limits.mayConnect('a')).toBe(true);
  for (let i = 0; i < 3; i++) limits.connected('127.0.0.1');
  expect(limits.mayConnect('127.0.0.1')).toBe(true);
});

it('counts a /64 network of IPv6 as one address, its joins too', async () => {
  const limits = new AddressLimits({ ...socketLimits, socketsPerAddress: 2, joinsPerMinute: 2 });
  for (const address of ['2001:db8::1', '2001:db8::2']) {
    limits.connected(address);
    await limits.join(address);
  }
  expect([limits.mayConnect('2001:db8::3'), limits.mayConnect('2001:db8:0:1::3')]).toEqual([false, true]);
  await expect(limits.join('2001:db8::3')).rejects.toMatchObject({ code: 'rate_limited' });
  await limits.join('2001:db8:0:1::3');
  limits.disconnected('2001:db8::2');
  expect(limits.mayConnect('2001:db8::3')).toBe(true);
  for (let i = 0; i < 3; i++) limits.connected('::1');
  expect(limits.mayConnect('::1')).toBe(true);
});

it('holds bytes only while the work runs, also when it fails', async () => {
  const all = new ByteBudget(100);
  const one = new ByteBudget(60, all);
  const other = new ByteBudget(60, all);
  const work = new EventEmitter();
  const held = one.hold(60, () => once(work, 'done'));
  await expect(one.hold(1, async () => 1)).rejects.toMatchObject({ code: 'rate_limited' });
  await expect(other.hold(41, async () => 1)).rejects.toMatchObject({ code: 'rate_limited' });
  expect(await other.hold(40, async () => 'fits')).toBe('fits');
  await expect(
    other.hold(40, async () => {
      throw new Error('disk');
    }),
  ).rejects.toThrow('disk');
  work.emit('done');
  await held;
  expect(await one.hold(60, async () => 'again')).toBe('again');
});
