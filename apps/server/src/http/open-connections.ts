/**
 * The TCP connections a server has open. `server.close()` waits for every one of them: for a socket that a browser opened
 * ahead of need, half a request, a download that nobody reads, a web socket whose tab is frozen. So a server that wants to
 * end has to be able to cut them.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Follows the connections of a server from now on; the returned function ends those that are still open. */
export function trackConnections(server: Server): () => void {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return () => {
    for (const socket of open) socket.destroy();
  };
}
