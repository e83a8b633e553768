import { expect, it } from 'vitest';
import { addressOf } from './client-address.ts';

it('believes a proxy only when told to, and only what the proxy itself wrote', () => {
  const address = '10.0.0.1';
  const headers = { 'x-forwarded-for': '1.1.1.1, 203.0.113.7' };
  expect(addressOf({ address, headers }, false)).toBe('10.0.0.1');
  expect(addressOf({ address, headers }, true)).toBe('203.0.113.7');
  expect(addressOf({ address, headers: {} }, true)).toBe('10.0.0.1');
});
