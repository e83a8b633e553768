import { expect, it } from 'vitest';
import { networkOf } from './network-of.ts';

it('takes the first half of an IPv6 address, and all of an IPv4 one', () => {
  expect(networkOf('2001:db8::1')).toBe('2001:db8:0:0');
  expect(networkOf('::1')).toBe('0:0:0:0');
  expect(networkOf('fe80::1%eth0')).toBe('fe80:0:0:0');
  expect(networkOf('::ffff:203.0.113.7')).toBe('203.0.113.7');
  expect(networkOf('1:2:3:4:5:6:7:8')).toBe('1:2:3:4');
});
