/** `oneround start`: serve campaigns and the page until interrupted. */
import { Option, type Command } from 'commander';
import { logFormats, logLevels, type LogFormat, type LogLevel } from '../operations/index.ts';
import { startServer, type RunningServer } from '../server.ts';
import { databaseUrlOption } from './database-url.ts';
import { defaultCampaign, defaultDataDir, parsePort, webRoot } from './defaults.ts';
import { parseBytes, parseCount, parseToken } from './limits.ts';

const CLOSE_LIMIT_MS = 10_000;

interface StartFlags {
  host: string;
  port: number;
  data: string;
  databaseUrl?: string;
  campaign?: string[];
  maxDataBytes?: number;
  minFreeBytes?: number;
  trustProxy?: boolean;
  socketsPerAddress?: number;
  metricsToken?: string;
  logLevel: LogLevel;
  logFormat?: LogFormat;
}

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('serve a campaign: volunteer page, dashboard, merging, evaluation')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 takes any', parsePort, 8787)
    .option('--data <directory>', 'where the ledger and the blobs are kept', defaultDataDir)
    .addOption(
      databaseUrlOption('keep the ledger in this Postgres, shared with other servers; --data then holds copies'),
    )
    .option('--campaign <file...>', 'campaign.json files to serve (default: the campaign that comes with oneround)')
    .option('--max-data-bytes <size>', 'stop intake before uploads and blobs take more, as 50GiB', parseBytes)
    .option('--min-free-bytes <size>', 'stop intake while the disk has less free (default: 1GiB)', parseBytes)
    .option('--trust-proxy', "take the last address of X-Forwarded-For for the client's: a proxy in front writes it")
    .option('--sockets-per-address <number>', 'connections of one network address (default: 300)', parseCount)
    .addOption(
      new Option('--metrics-token <secret>', 'open /metrics to whoever sends it (default: to this machine)')
        .env('ONEROUND_METRICS_TOKEN')
        .argParser(parseToken),
    )
    .addOption(new Option('--log-level <level>', 'least that is logged').choices(logLevels).default('warn'))
    .addOption(new Option('--log-format <format>', 'on a terminal pretty, else json, unless told').choices(logFormats))
    .action(start);
}

async function start({ data, campaign, logFormat, ...flags }: StartFlags): Promise<void> {
  const server = await startServer({
    ...flags,
    dataDir: data,
    campaignFiles: campaign ?? [defaultCampaign],
    webRoot,
    logFormat: logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json'),
  });
  for (const line of linksOf(server)) console.log(line);
  closeOnSignal(server);
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
