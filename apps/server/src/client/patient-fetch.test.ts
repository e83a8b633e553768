/** Answers that take long: nobody waits here, a clock is put forward. */
import { createServer, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { patientFetch } from './patient-fetch.ts';

const MINUTE_MS = 60_000;

let waiting: ServerResponse[];
const server = createServer((_request, response) => waiting.push(response));

beforeEach(async () => {
  waiting = [];
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  vi.useRealTimers();
  server.closeAllConnections();
  server.close();
});

it('waits for an answer that takes most of an hour, and no longer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const answer = patientFetch(url);
  while (waiting.length < 1) await new Promise(setImmediate);
  vi.advanceTimersByTime(55 * MINUTE_MS);
  waiting[0]!.end('done');
  expect(await (await answer).text()).toBe('done');
  const never = patientFetch(url).catch((error: unknown) => error);
  while (waiting.length < 2) await new Promise(setImmediate);
  vi.advanceTimersByTime(61 * MINUTE_MS);
  expect(await never).toMatchObject({ cause: { code: 'UND_ERR_HEADERS_TIMEOUT' } });
});
