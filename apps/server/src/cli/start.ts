/** `oneround start`: serve campaigns and the page until interrupted. */
import type { Command } from 'commander';
import { startServer, type RunningServer } from '../server.ts';
import { defaultCampaign, defaultDataDir, parsePort, webRoot } from './defaults.ts';

const CLOSE_LIMIT_MS = 10_000;

interface StartFlags {
  host: string;
  port: number;
  data: string;
  campaign?: string[];
}

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('serve a campaign: volunteer page, dashboard, merging, evaluation')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 takes any', parsePort, 8787)
    .option('--data <directory>', 'where the ledger and the blobs are kept', defaultDataDir)
    .option('--campaign <file...>', 'campaign.json files to serve (default: the campaign that comes with oneround)')
    .action(async (flags: StartFlags) => {
      const server = await startServer({
        host: flags.host,
        port: flags.port,
        dataDir: flags.data,
        campaignFiles: flags.campaign ?? [defaultCampaign],
        webRoot,
        logLevel: 'warn',
      });
      for (const line of linksOf(server)) console.log(line);
      closeOnSignal(server);
    });
}

/** The links a person needs, two lines per campaign. */
export function linksOf({ url, campaigns }: RunningServer): string[] {
  return campaigns.flatMap(({ id, name }) => [
    `${name}`,
    `  volunteer page  ${url}/c/${id}`,
    `  dashboard       ${url}/c/${id}/live`,
  ]);
}

/**
 * Shuts down in order at the first Ctrl-C; a second one ends the process at once. So does a shutdown that takes too long:
 * what was acknowledged is on disk already, and a supervisor would kill us anyway.
 */
export function closeOnSignal(server: RunningServer): void {
  const stop = () => {
    process.removeListener('SIGINT', stop);
    process.removeListener('SIGTERM', stop);
    setTimeout(() => {
      console.error(
        `oneround: not closed after ${CLOSE_LIMIT_MS / 1000} s; ending anyway, nothing acknowledged is lost`,
      );
      process.exit(1);
    }, CLOSE_LIMIT_MS).unref();
    void server.close().then(() => process.exit(0));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}
