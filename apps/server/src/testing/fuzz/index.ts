/**
 * Fuzzing: seeded nonsense for a server that runs in another process, on four levels - HTTP, web socket frames, socket.io
 * packets, and the protocol's requests in every wrong shape and order.
 */
export { runFuzz, type FuzzReport } from './run-fuzz.ts';
