/**
 * The TCP connections a server has open. `server.close()` waits for every one of them: for a socket that a browser opened
 * ahead of need, half a request, a download that nobody reads, a web socket whose tab is frozen. So a server that wants to
 * end has to be able to cut them.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export interface OpenConnections {
  /** Ends those that are still open. */
  cut: () => void;
  /** Bytes of all connections so far, closed ones included. */
  traffic: () => { in: number; out: number };
}

/** Follows the connections of a server from now on. */
export function trackConnections(server: Server): OpenConnections {
  const open = new Set<Socket>();
  const closed = { in: 0, out: 0 };
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => {
      open.delete(socket);
      closed.in += socket.bytesRead;
      closed.out += socket.bytesWritten;
    });
  });
  return {
    cut: () => {
      for (const socket of open) socket.destroy();
    },
    traffic: () => {
      const total = { ...closed };
      for (const { bytesRead, bytesWritten } of open) {
        total.in += bytesRead;
        total.out += bytesWritten;
      }
      return total;
    },
  };
}
