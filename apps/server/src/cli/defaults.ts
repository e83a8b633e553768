/** Where things are in a checkout. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../../..', import.meta.url));

export const defaultCampaign = resolve(repository, 'campaigns/default/campaign.json');
export const defaultDataDir = resolve(repository, 'data');
export const webRoot = resolve(repository, 'apps/web/dist');

/** A TCP port from a command line. @throws Error naming the bad value */
export function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port;
  throw new Error(`${JSON.stringify(text)} is not a port (0 to 65535)`);
}
