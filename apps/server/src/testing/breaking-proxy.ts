/** A TCP proxy that cuts every connection once enough bytes went to the server, and refuses new ones until it is healed. */
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface BreakingProxy {
  url: string;
  /** Resolves when the connections were cut. */
  broke: Promise<void>;
  /** Lets everything through from now on. */
  heal(): void;
  /** Towards the server, since the start. */
  bytesUp(): number;
  close(): void;
}

/** Passes bytes on to `port` of this machine. */
export async function startBreakingProxy(port: number, { afterBytes }: { afterBytes: number }): Promise<BreakingProxy> {
  let state: 'whole' | 'broken' | 'healed' = 'whole';
  let bytes = 0;
  const sockets = new Set<Socket>();
  const cut = () => sockets.forEach((socket) => socket.destroy());
  const breaking = new EventEmitter();
  const broke = once(breaking, 'broke').then(() => undefined);
  const proxy = createServer((client) => {
    if (state === 'broken') return void client.destroy();
    const upstream = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
    upstream.pipe(client);
    client.pipe(upstream);
    client.on('data', (data: Buffer) => {
      bytes += data.byteLength;
      if (state !== 'whole' || bytes < afterBytes) return;
      state = 'broken';
      cut();
      breaking.emit('broke');
    });
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    broke,
    heal: () => void (state = 'healed'),
    bytesUp: () => bytes,
    close: () => {
      cut();
      proxy.close();
    },
  };
}
