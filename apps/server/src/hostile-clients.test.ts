/** Clients that mean harm to the server itself: what they are refused, and that everybody else is served on. */
import { once } from 'node:events';
import { io } from 'socket.io-client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startServer, type RunningServer } from './server.ts';
import { makeTestCampaign, type TestCampaign } from './testing/test-campaign.ts';
import { TestClient } from './testing/test-client.ts';

let campaign: TestCampaign;
let server: RunningServer;
let client: TestClient;

beforeEach(async () => {
  campaign = makeTestCampaign();
  const { file, dataDir } = campaign;
  server = await startServer({ host: '127.0.0.1', port: 0, dataDir, campaignFiles: [file], logLevel: 'silent' });
  client = await TestClient.connect(server.url);
});

afterEach(async () => {
  client.close();
  await server.close();
  campaign.remove();
});

async function expectService(): Promise<void> {
  const other = await TestClient.connect(server.url);
  expect(await other.value('watch', { campaignId: 'test' })).toMatchObject({ campaignId: 'test' });
  other.close();
}

it('a page of another origin opens no socket', async () => {
  const connect = async (origin: string) => {
    const options = { transports: ['websocket'], reconnection: false, forceNew: true, extraHeaders: { origin } };
    const socket = io(server.url, options) as unknown as NodeJS.EventEmitter & { disconnect(): void };
    const outcome = await Promise.race([
      once(socket, 'connect').then(() => 'connected'),
      once(socket, 'connect_error').then(() => 'refused'),
    ]);
    socket.disconnect();
    return outcome;
  };
  expect(await connect(server.url)).toBe('connected');
  for (const origin of ['https://elsewhere.example', 'null', 'http://127.0.0.1:1'])
    expect([origin, await connect(origin)]).toEqual([origin, 'refused']);
});

it('a frame larger than a chunk ends its connection', async () => {
  const gone = once(client.socket as unknown as NodeJS.EventEmitter, 'disconnect');
  client.socket.emit('upload.chunk', { data: new Uint8Array(1024 * 1024) });
  await gone;
  await expectService();
});

it('a flood of requests is refused, not queued', async () => {
  const answers = await Promise.all(Array.from({ length: 400 }, () => client.ask('watch', { campaignId: 'test' })));
  const codes = answers.flatMap((answer) => (answer.ok ? [] : [answer.error.code]));
  expect(new Set(codes)).toEqual(new Set(['rate_limited']));
  expect(codes.length).toBeGreaterThan(0);
  await expectService();
});

it('a connection that sends nothing but garbage is hung up on', async () => {
  const gone = once(client.socket as unknown as NodeJS.EventEmitter, 'disconnect');
  for (let i = 0; i < 50; i++) client.socket.emit('join', JSON.parse('{"__proto__": {"polluted": true}}'));
  expect((await gone)[0]).toBe('io server disconnect');
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  await expectService();
});
