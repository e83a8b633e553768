import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { mayReadMetrics } from './metrics-access.ts';

function request(remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage {
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage;
}

it('without a token only this machine may, and no proxy that names whom it speaks for', () => {
  for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])
    expect(mayReadMetrics(request(address), undefined)).toBe(true);
  for (const address of ['10.0.0.1', '::ffff:10.0.0.1', '192.168.127.0', 'fe80::1'])
    expect(mayReadMetrics(request(address), undefined)).toBe(false);
  for (const header of ['x-forwarded-for', 'forwarded', 'x-real-ip'])
    expect(mayReadMetrics(request('127.0.0.1', { [header]: '10.0.0.1' }), undefined)).toBe(false);
});

it('with a token whoever has it may, and nobody else, on this machine neither', () => {
  const bearing = (authorization: string) => request('10.0.0.1', { authorization });
  expect(mayReadMetrics(bearing('Bearer secret'), 'secret')).toBe(true);
  for (const sent of ['', 'secret', 'Bearer ', 'Bearer secret ', 'Bearer secres', 'Basic secret'])
    expect(mayReadMetrics(bearing(sent), 'secret')).toBe(false);
  expect(mayReadMetrics(request('127.0.0.1'), 'secret')).toBe(false);
});
