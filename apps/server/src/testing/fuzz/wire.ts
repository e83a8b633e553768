/** Bytes for a TCP connection: HTTP requests, and web socket frames below anything that a library would send. */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import type { SeededRandom } from '@oneround/fl-core';
import { onceIn, pick, someBytes, someJson } from './values.ts';

const ANSWER_LIMIT_MS = 250;

/** Sends bytes over a new connection and resolves at the first answer, the end, or after a moment. */
export async function sendBytes(port: number, parts: readonly Uint8Array[]): Promise<void> {
  const socket = createConnection({ port, host: '127.0.0.1' });
  const over = new AbortController();
  const end = () => over.abort();
  const limit = setTimeout(end, ANSWER_LIMIT_MS);
  socket.on('error', end).on('close', end);
  for (const part of parts) {
    if (over.signal.aborted) break;
    socket.write(part);
    await once(socket, 'data', over).catch(end);
  }
  clearTimeout(limit);
  socket.destroy();
}

const methods = [
  'GET',
  'GET',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'CONNECT',
  'BREW',
  '',
];
const traversals = ['../', '..%2f', '%2e%2e/', '..\\', '....//', '%c0%ae%c0%ae/', '%00', '/./', '//'];

/** One HTTP request, or what a bad proxy takes for one. `paths` are some that exist. */
export function someHttp(random: SeededRandom, paths: readonly string[]): Uint8Array {
  const method = pick(random, methods);
  const lines = [
    `${method} ${somePath(random, paths)} ${pick(random, ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/9', ''])}`,
  ];
  if (!onceIn(random, 10)) lines.push('Host: 127.0.0.1');
  while (!onceIn(random, 3)) lines.push(someHeader(random));
  const body = onceIn(random, 2) ? someBody(random) : '';
  if (body !== '' && !onceIn(random, 4)) {
    lines.push('Content-Type: application/json', `Content-Length: ${body.length + pick(random, [0, 0, 0, 5, -1])}`);
  }
  const text = `${lines.join('\r\n')}\r\n\r\n${body}`;
  return Buffer.from(onceIn(random, 8) ? text.slice(0, random.nextInt(text.length)) : text, 'latin1');
}

function somePath(random: SeededRandom, paths: readonly string[]): string {
  const path = pick(random, paths);
  return pick<() => string>(random, [
    () => path,
    () => `${path}?${encodeURIComponent(someJson(random)).slice(0, 500)}`,
    () => `/v1/files/${pick(random, traversals).repeat(1 + random.nextInt(8))}etc/passwd`,
    () => `/${pick(random, traversals).repeat(1 + random.nextInt(8))}package.json`,
    () => `${path}/${pick(random, ['__proto__', 'constructor', '%', '%zz', '%ff', '\u00ff', 'a'.repeat(8000)])}`,
    () => path.slice(0, random.nextInt(path.length + 1)),
    () => path.replaceAll('/', pick(random, traversals)),
    () =>
      `/socket.io/?EIO=${random.nextInt(6)}&transport=${pick(random, ['polling', 'websocket', 'x'])}&sid=${random.nextInt(9)}`,
  ])();
}

function someHeader(random: SeededRandom): string {
  return pick<() => string>(random, [
    () => `Range: bytes=${pick(random, ['0-0', '-1', '5-2', '0-99999999999', 'x', '0-1,2-3,4-5', '9'.repeat(400)])}`,
    () => `If-Range: ${pick(random, ['"x"', 'W/"y"', 'Tue, 99 Foo'])}`,
    () => `If-None-Match: ${pick(random, ['*', '""', 'x'.repeat(2000)])}`,
    () => `If-Modified-Since: ${pick(random, ['0', 'Thu, 01 Jan 1970 00:00:00 GMT', 'x'])}`,
    () => `Accept-Encoding: ${pick(random, ['gzip', 'br;q=9', '*', ','])}`,
    () => `Transfer-Encoding: ${pick(random, ['chunked', 'gzip', 'chunked, chunked'])}`,
    () => `Connection: ${pick(random, ['close', 'Upgrade', 'keep-alive'])}`,
    () => `Upgrade: ${pick(random, ['websocket', 'h2c', 'x'])}`,
    () => `Sec-WebSocket-Key: ${someBytes(random, 16).toString('base64')}`,
    () => `Sec-WebSocket-Version: ${pick(random, ['13', '7', 'x'])}`,
    () => `Origin: ${pick(random, ['null', 'http://', 'https://elsewhere.example', '%'])}`,
    () => `X-Forwarded-For: ${pick(random, ['::1', '999.1.1.1', ',,,', 'x'.repeat(300)])}`,
    () => `Authorization: Bearer ${pick(random, ['', 'x', '\u00e9'])}`,
    () => `Expect: ${pick(random, ['100-continue', 'x'])}`,
    () =>
      `${pick(random, ['Host', 'Content-Length', ' X', 'X ', '', 'Cookie'])}: ${pick(random, ['1', '', 'x'.repeat(9000)])}`,
  ])();
}

function someBody(random: SeededRandom): string {
  return pick<() => string>(random, [
    () => '{"__proto__":{"polluted":true}}',
    () => '{"constructor":{"prototype":{"polluted":true}}}',
    () => someJson(random),
    () => 'x'.repeat(random.nextInt(5000)),
    () => '5\r\nhello\r\n0\r\n\r\n',
  ])();
}

/** An upgrade, and then frames that RFC 6455 forbids, or ends in the middle. */
export function someWebSocket(random: SeededRandom): Uint8Array[] {
  const key = someBytes(random, 16).toString('base64');
  const version = onceIn(random, 10) ? '8' : '13';
  const upgrade = [
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    `Sec-WebSocket-Key: ${key}`,
    `Sec-WebSocket-Version: ${version}`,
  ];
  const frames = Array.from({ length: 1 + random.nextInt(3) }, () => someFrame(random));
  return [Buffer.from(`${upgrade.join('\r\n')}\r\n\r\n`), ...frames];
}

function someFrame(random: SeededRandom): Uint8Array {
  const first = pick(random, [0x81, 0x82, 0x80, 0x01, 0x00, 0x88, 0x89, 0x8a, 0x83, 0xf1, random.nextInt(256)]);
  const mask = onceIn(random, 4) ? 0 : 0x80;
  const body = pick<() => Buffer>(random, [
    () => Buffer.from('40'),
    () => Buffer.from('42["watch",{"campaignId":"test"}]'),
    () => Buffer.from([0xff, 0xfe, 0xc0, 0x80]),
    () => someBytes(random, random.nextInt(126)),
  ])();
  const length = pick<() => number[]>(random, [
    () => [mask | body.length],
    () => [mask | 126, 0, body.length],
    () => [mask | 126, 0xff, 0xff],
    () => [mask | 127, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
    () => [mask | 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  ])();
  const masking = mask === 0 ? Buffer.alloc(0) : someBytes(random, 4);
  const masked = mask === 0 ? body : body.map((byte, i) => byte ^ masking[i % 4]!);
  const frame = Buffer.concat([Buffer.from([first, ...length]), masking, masked]);
  return onceIn(random, 4) ? frame.subarray(0, random.nextInt(frame.length) + 1) : frame;
}
