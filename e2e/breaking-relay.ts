/** A relay in front of a server that breaks connections: a dropped network, as far as browser and server can tell. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What a test does to the connections that ask for certain paths, and sees of them. */
export interface BreakingRelay {
  url: string;
  /** `Range` headers of the requests for such a path, in their order; null where there was none. */
  ranges: (string | null)[];
  /** Bytes of their answers that were sent on to the browser so far. */
  bytes(): number;
  /** From now on such a request is cut after this many bytes of its answer; 0 refuses, Infinity heals. */
  breakAfter(bytes: number): void;
  close(): void;
}

/** Relays `serverUrl`; connections that ask for a path that begins with `path` can be broken. */
export async function startBreakingRelay(serverUrl: string, path: string): Promise<BreakingRelay> {
  const port = Number(new URL(serverUrl).port);
  const open = new Set<Socket>();
  const ranges: (string | null)[] = [];
  let relayed = 0;
  let limit = Infinity;
  const relay = createServer((browser) => {
    const server = connect(port, '127.0.0.1');
    const end = () => {
      browser.destroy();
      server.destroy();
      open.delete(browser);
    };
    open.add(browser);
    // A browser that reads slowly slows the server down, as it would without the relay.
    const send = (bytes: Uint8Array, sent?: () => void) => {
      if (!browser.write(bytes, sent)) server.pause();
    };
    browser.on('drain', () => server.resume());
    /** How much more of the answer may pass; null while some other path is answered. */
    let left: number | null = null;
    browser.on('data', (chunk) => {
      const request = chunk.toString('latin1');
      if (request.startsWith('GET ')) left = null;
      if (request.startsWith(`GET ${path}`)) {
        left = limit;
        ranges.push(/^range: *(.*)$/im.exec(request)?.[1]?.trim() ?? null);
        if (left === 0) return end();
      }
      server.write(chunk);
    });
    server.on('data', (chunk) => {
      if (left === null) return send(chunk);
      const fitting = chunk.subarray(0, left);
      left -= fitting.byteLength;
      relayed += fitting.byteLength;
      send(fitting, () => fitting.byteLength < chunk.byteLength && end());
    });
    for (const socket of [browser, server]) socket.on('error', end).on('close', end);
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return {
    url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    ranges,
    bytes: () => relayed,
    breakAfter: (bytes) => (limit = bytes),
    close: () => {
      relay.close();
      for (const socket of open) socket.destroy();
    },
  };
}
