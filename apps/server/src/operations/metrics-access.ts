/** Who may read `/metrics`. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What a proxy adds when it passes on a request of somebody else's. */
const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'];

/**
 * With a token: whoever sends `Authorization: Bearer <token>`, compared in constant time. Without one: processes of this
 * machine alone, and none that says it speaks for somebody else. A proxy that says nothing is taken for its machine.
 */
export function mayReadMetrics({ socket, headers }: IncomingMessage, token: string | undefined): boolean {
  if (token !== undefined) return isSame(headers.authorization ?? '', `Bearer ${token}`);
  return isLoopback(socket.remoteAddress) && PROXY_HEADERS.every((name) => headers[name] === undefined);
}

/** Compares hashes: they are equally long, whatever was sent. */
function isSame(sent: string, expected: string): boolean {
  return timingSafeEqual(hashOf(sent), hashOf(expected));
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** True for an address of this machine itself. */
export function isLoopback(address: string | undefined): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address ?? '');
}
