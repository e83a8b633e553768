/** A server in the test's own process. */
import { startServer, type RunningServer, type ServerOptions } from '../server.ts';
import type { TestCampaign } from './test-campaign.ts';

/** Serves a campaign from its data directory on a port of its own, in silence, but for `changes`. Throws as `startServer`. */
export function serveTestCampaign(
  { dataDir, file }: Pick<TestCampaign, 'dataDir' | 'file'>,
  changes: Partial<ServerOptions> = {},
): Promise<RunningServer> {
  return startServer({
    ...{ host: '127.0.0.1', port: 0, dataDir, campaignFiles: [file], logLevel: 'silent' },
    ...changes,
  });
}
