import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FileRef } from '@oneround/fl-core';
import { afterEach, describe, expect, it } from 'vitest';
import { DownloadError } from './download-error.ts';
import { httpFetchFile } from './fetch-file.ts';

const content = Uint8Array.from({ length: 20_000 }, (_, i) => (i * 31) % 251);
const file: FileRef = { path: 'model.0', bytes: content.length, sha256: 'ab'.repeat(32) };
const pausesMs = [5, 5];
/** Longer than a busy machine is silent of itself. */
const LONG_MS = 10_000;

let close = () => {};
afterEach(() => close());

/** Fetches from a server that answers the n-th request with the n-th answer (the last one for all further). */
async function fetchFrom(
  answers: readonly ((request: IncomingMessage, response: ServerResponse) => void)[],
  silenceMs = LONG_MS,
) {
  const requests: { range: string | undefined; ifRange: string | string[] | undefined }[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)]!;
    requests.push({ range: request.headers.range, ifRange: request.headers['if-range'] });
    answer(request, response);
  }).listen(0);
  const abort = new AbortController();
  close = () => {
    abort.abort();
    server.closeAllConnections();
    server.close();
  };
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const received: number[] = [];
  let breaks = 0;
  const listener = { received: (bytes: number) => void received.push(bytes), broke: () => void breaks++ };
  const result = httpFetchFile(origin, abort.signal, { pausesMs, silenceMs })(file, listener);
  return { result, requests, received, breaks: () => breaks, abort };
}

const whole = (_: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(200, { 'content-length': content.length }).end(content);

/** The rest that was asked for, cut after `bytes` of it by a broken connection. */
const partOf =
  (bytes = Infinity) =>
  (request: IncomingMessage, response: ServerResponse) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? 'bytes=0-')![1]);
    const end = Math.min(content.length, start + bytes);
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': content.length - start,
      ...(start > 0 && { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }),
    });
    if (end === content.length) response.end(content.subarray(start));
    else response.write(content.subarray(start, end), () => setTimeout(() => response.destroy(), 20));
  };

const gone = (_: IncomingMessage, response: ServerResponse) => void response.writeHead(502).end('restarting');

describe('fetching a file', () => {
  it('goes on from the byte where the connection broke, as often as it brings something', async () => {
    const { result, requests, received, breaks } = await fetchFrom([
      partOf(7_000),
      partOf(1),
      partOf(5_000),
      partOf(10),
      partOf(),
    ]);
    expect(await result).toEqual(content);
    expect(requests.map(({ range }) => range)).toEqual([
      undefined,
      'bytes=7000-',
      'bytes=7001-',
      'bytes=12001-',
      'bytes=12011-',
    ]);
    expect(requests[1]!.ifRange).toBe(`"${file.sha256}"`);
    expect(breaks()).toBe(4);
    expect(received).toEqual(received.toSorted((a, b) => a - b));
    expect(received.at(-1)).toBe(content.length);
  });

  it('starts over when the server cannot go on in the middle', async () => {
    const { result, requests } = await fetchFrom([partOf(7_000), whole]);
    expect(await result).toEqual(content);
    expect(requests).toHaveLength(2);
  });

  it('takes silence for a broken connection', async () => {
    const silent = (_: IncomingMessage, response: ServerResponse) =>
      void response.writeHead(200, { 'content-length': content.length }).write(content.subarray(0, 1000));
    const { result, requests } = await fetchFrom([silent, partOf()], 300);
    expect(await result).toEqual(content);
    expect(requests[1]!.range).toBe('bytes=1000-');
  });

  it('waits for a server that restarts behind its proxy', async () => {
    expect(await (await fetchFrom([gone, gone, whole])).result).toEqual(content);
  });

  it('gives up when nothing comes any more, in words', async () => {
    const { result, requests } = await fetchFrom([(_, response) => void response.destroy()]);
    await expect(result).rejects.toThrow(DownloadError);
    await expect(result).rejects.toThrow(/model\.0 broke off\. Check the connection/);
    expect(requests).toHaveLength(1 + pausesMs.length);
  });

  it('does not ask again for what the server does not have', async () => {
    const { result, requests } = await fetchFrom([(_, response) => void response.writeHead(404).end()]);
    await expect(result).rejects.toThrow('The server answered 404 for model.0');
    expect(requests).toHaveLength(1);
  });

  it('leaves out what is too much', async () => {
    const { result } = await fetchFrom([
      (_, response) => void response.end(Buffer.concat([content, new Uint8Array(50_000)])),
    ]);
    expect(await result).toEqual(content);
  });

  it('ends with the run', async () => {
    const { result, abort } = await fetchFrom([partOf(10)]);
    abort.abort(new Error('stopped by the volunteer'));
    await expect(result).rejects.toThrow('stopped by the volunteer');
  });
});
