/** Real sockets: hundreds of them hear one message, and the event loop turns meanwhile. */
import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { Audience } from './audience.ts';

let http: HttpServer;
let io: Server;
let clients: { heard: string[]; close: () => void }[];

beforeEach(async () => {
  http = createServer();
  io = new Server(http, { transports: ['websocket'] });
  clients = [];
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
});
afterEach(async () => {
  for (const client of clients) client.close();
  await io.close();
});

/** Connects `count` clients that join the audience as they come. */
async function fill(audience: Audience, count: number): Promise<void> {
  const { port } = http.address() as AddressInfo;
  io.removeAllListeners('connection').on('connection', (socket) => void audience.join(socket));
  for (let i = 0; i < count; i++) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
    const heard: string[] = [];
    await once(socket, 'message');
    socket.send('40');
    await once(socket, 'message');
    socket.on('message', (data) => heard.push(String(data)));
    clients.push({ heard, close: () => socket.terminate() });
  }
}

it('writes to a few at a time, in order, and lets others have their turn between', async () => {
  const audience = new Audience(io, 'test');
  await fill(audience, 250);
  let turns = 0;
  let isSending = true;
  const count = () => {
    turns++;
    if (isSending) setImmediate(count);
  };
  setImmediate(count);
  await audience.send('news', { number: 1 });
  await audience.send('news', { number: 2 });
  isSending = false;
  expect(turns).toBeGreaterThanOrEqual(20);
  await expect
    .poll(() => clients.map(({ heard }) => heard))
    .toEqual(clients.map(() => ['42["news",{"number":1}]', '42["news",{"number":2}]']));
});

it('fills the places of those who left, and is empty when all have', async () => {
  const audience = new Audience(io, 'test');
  expect(audience.isEmpty).toBe(true);
  await fill(audience, 60);
  for (const client of clients.slice(0, 30)) client.close();
  await expect.poll(() => io.engine.clientsCount).toBe(30);
  await fill(audience, 30);
  expect(
    [...io.of('/').adapter.rooms]
      .filter(([name]) => name.startsWith('test/'))
      .map(([, { size }]) => size)
      .toSorted(),
  ).toEqual([10, 25, 25]);
  for (const client of clients) client.close();
  await expect.poll(() => audience.isEmpty).toBe(true);
  // Nobody is left, and it is no error.
  await audience.send('news', {});
});

it('has each socket once, however often it joins', async () => {
  const audience = new Audience(io, 'test');
  await fill(audience, 1);
  const [socket] = io.sockets.sockets.values();
  for (let i = 0; i < 3; i++) await audience.join(socket!);
  await audience.send('news', { number: 1 });
  await expect.poll(() => clients[0]!.heard).toEqual(['42["news",{"number":1}]']);
});

it('ends the connections of all who are in it, and of nobody else', async () => {
  const [audience, other] = [new Audience(io, 'test'), new Audience(io, 'other')];
  await fill(other, 2);
  await fill(audience, 60);
  await audience.hangUp();
  await vi.waitFor(() => expect(io.engine.clientsCount).toBe(2));
  expect([audience.isEmpty, other.isEmpty]).toEqual([true, false]);
});
