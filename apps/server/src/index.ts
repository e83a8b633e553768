/** The server's public face. */
export { startServer, type RunningServer, type ServerOptions } from './server.ts';
