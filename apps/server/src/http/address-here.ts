/** Every address of a machine: reached by this one. */
const ANY_HOST: ReadonlySet<string> = new Set(['0.0.0.0', '::', '[::]']);

/** The URL at which this machine reaches a server that listens there; no slash at its end. */
export function addressHere(host: string, port: number): string {
  const here = ANY_HOST.has(host) ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `http://${here}:${port}`;
}
