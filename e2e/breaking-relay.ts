/** A relay in front of a server that breaks connections: a dropped network, as far as browser and server can tell. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Between the last byte that passes and the break. */
const SILENCE_MS = 1_000;

/** What a test does to the connections that ask for certain paths, and sees of them. */
export interface BreakingRelay {
  url: string;
  /** `Range` headers of the requests for such a path, in their order; null where there was none. */
  ranges: (string | null)[];
  /** Bytes of their answers that were sent on to the browser so far. */
  bytes(): number;
  /** The next `requests` such requests are cut after so many bytes of their answers, later ones are refused. */
  breakOff(afterBytes: number, requests: number): void;
  /** Everything passes again. */
  heal(): void;
  close(): void;
}

/** Relays `serverUrl`; connections that ask for a path that begins with `path` can be broken. */
export async function startBreakingRelay(serverUrl: string, path: string): Promise<BreakingRelay> {
  const port = Number(new URL(serverUrl).port);
  const open = new Set<Socket>();
  const ranges: (string | null)[] = [];
  let relayed = 0;
  let outage: { afterBytes: number; requests: number } | null = null;
  const relay = createServer((browser) => {
    const server = connect(port, '127.0.0.1');
    const end = () => {
      browser.destroy();
      server.destroy();
      open.delete(browser);
    };
    open.add(browser);
    // A browser that reads slowly slows the server down, as it would without the relay.
    const send = (bytes: Uint8Array) => {
      if (!browser.write(bytes)) server.pause();
    };
    browser.on('drain', () => server.resume());
    /** How much more of the answer may pass; null while some other path is answered. */
    let left: number | null = null;
    browser.on('data', (chunk) => {
      const request = chunk.toString('latin1');
      if (request.startsWith('GET ')) left = null;
      if (request.startsWith(`GET ${path}`)) {
        ranges.push(/^range: *(.*)$/im.exec(request)?.[1]?.trim() ?? null);
        if (outage && outage.requests-- <= 0) return end();
        left = outage?.afterBytes ?? Infinity;
      }
      server.write(chunk);
    });
    server.on('data', (chunk) => {
      if (left === null) return send(chunk);
      const fitting = chunk.subarray(0, left);
      left -= fitting.byteLength;
      relayed += fitting.byteLength;
      send(fitting);
      // First silence, as on a real network: Chromium drops what it has not yet handed to the page when it hears of the end.
      if (fitting.byteLength < chunk.byteLength) setTimeout(end, SILENCE_MS);
    });
    for (const socket of [browser, server]) socket.on('error', end).on('close', end);
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return {
    url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    ranges,
    bytes: () => relayed,
    breakOff: (afterBytes, requests) => (outage = { afterBytes, requests }),
    heal: () => (outage = null),
    close: () => {
      relay.close();
      for (const socket of open) socket.destroy();
    },
  };
}
