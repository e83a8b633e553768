/** `oneround serve`: serve campaigns and the page until interrupted. */
import { Option, type Command } from 'commander';
import {
  flagOf,
  loadServerConfig,
  printableConfig,
  type ServerConfig,
  type Setting,
  settings,
  words,
} from '../config/index.ts';
import { startServer, type RunningServer, type ServerOptions } from '../server.ts';
import { defaultCampaign, webRoot } from './defaults.ts';

const CLOSE_LIMIT_MS = 10_000;
/** Under npm a Ctrl-C comes from the terminal and once more from npm; some supervisors signal every process of a group. */
const SAME_SIGNAL_MS = 1000;

type ServeFlags = Partial<Record<Setting, unknown>> & { config?: string; printConfig?: boolean };

export function addServeCommand(program: Command): void {
  const command = program
    .command('serve')
    .description('serve a campaign: volunteer page, dashboard, merging, evaluation')
    .option('--config <file>', 'configuration file (default: oneround.config.json, .yaml or .ts here, if there is one)')
    .option('--print-config', 'print the configuration that all of it comes to, without secrets, and end');
  for (const setting of settings) {
    const { value, help } = words[setting];
    command.addOption(new Option(`${flagOf(setting)} ${value}`.trim(), help));
  }
  command.action(serve);
}

async function serve({ config: file, printConfig, ...flags }: ServeFlags): Promise<void> {
  const config = await loadServerConfig({ flags, environment: process.env, workingDirectory: process.cwd(), file });
  if (printConfig) return console.log(JSON.stringify(printableConfig(config), null, 2));
  const server = await startServer(serverOptionsOf(config));
  for (const line of linksOf(server)) console.log(line);
  closeOnSignal(server);
}

/** A server as it was configured; the sample campaign is for those who named none. */
export function serverOptionsOf({ data, campaign, campaigns, logFormat, ...rest }: ServerConfig): ServerOptions {
  return {
    ...rest,
    dataDir: data,
    campaignFiles: campaign ?? [],
    campaignFolder: campaigns,
    sampleCampaignFile: campaign === undefined ? defaultCampaign : undefined,
    webRoot,
    logFormat: logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json'),
  };
}

/** The links a person needs, two lines per campaign; and what must be done before volunteers can use them. */
export function linksOf({ url, campaigns }: Pick<RunningServer, 'url' | 'campaigns'>): string[] {
  return campaigns.flatMap(({ id, name, status, private: isPrivate }) => {
    const waits = status === 'draft' || status === 'paused';
    const state = [...(status === 'open' ? [] : [status]), ...(isPrivate ? ['private'] : [])];
    return [
      state.length > 0 ? `${name} (${state.join(', ')})` : name,
      `  volunteer page  ${url}/c/${id}`,
      `  dashboard       ${url}/c/${id}/live`,
      ...(waits ? [`  to let volunteers in:  oneround campaign open ${id}`] : []),
      ...(isPrivate && status !== 'closed' && status !== 'closing'
        ? [`  to invite volunteers:  oneround campaign invite ${id}`]
        : []),
    ];
  });
}

/**
 * Shuts down in order at the first Ctrl-C; a second one, a second later, ends the process at once. So does a shutdown that takes too long:
 * what was acknowledged is on disk already, and a supervisor would kill us anyway.
 */
export function closeOnSignal(server: Pick<RunningServer, 'close'>): void {
  let isClosing = false;
  const stop = () => {
    if (isClosing) return;
    isClosing = true;
    setTimeout(() => {
      process.removeListener('SIGINT', stop);
      process.removeListener('SIGTERM', stop);
    }, SAME_SIGNAL_MS).unref();
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
