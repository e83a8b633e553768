import { expect, it } from 'vitest';
import { addressHere } from './address-here.ts';

it('is a URL that this machine can open, whatever the server listens on', () => {
  expect(addressHere('127.0.0.1', 80)).toBe('http://127.0.0.1:80');
  expect(addressHere('0.0.0.0', 8787)).toBe('http://127.0.0.1:8787');
  expect(addressHere('::', 8787)).toBe('http://127.0.0.1:8787');
  expect(addressHere('fd00::1', 8787)).toBe('http://[fd00::1]:8787');
  expect(addressHere('example.org', 8787)).toBe('http://example.org:8787');
});
