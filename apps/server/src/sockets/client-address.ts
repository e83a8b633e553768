/** Where a connection comes from. */
import type { IncomingHttpHeaders } from 'node:http';

/**
 * The network address of a client: the connection's own or, behind a proxy that is trusted to write it, the last one of
 * `X-Forwarded-For` (earlier ones are whatever the client sent).
 */
export function addressOf(
  { address, headers }: { address: string; headers: IncomingHttpHeaders },
  trustProxy: boolean,
): string {
  const forwarded = headers['x-forwarded-for'];
  const last = (Array.isArray(forwarded) ? forwarded.at(-1) : forwarded)?.split(',').at(-1)?.trim();
  return trustProxy && last ? last : address;
}
