/**
 * Where the ledger or the server is that a command is about: told by flags, environment and configuration file, the same as
 * `oneround serve` reads.
 */
import type { Command } from 'commander';
import { loadServerConfig } from '../config/index.ts';
import { addressHere } from '../http/index.ts';

export interface PlaceFlags {
  config?: string;
  data?: string;
  databaseUrl?: string;
  campaigns?: string;
  server?: string;
}

export interface Place {
  data: string;
  databaseUrl: string | undefined;
  /** Where campaigns may be added from. */
  campaigns: string | undefined;
  /** The server that was named; else where one started from the same configuration listens. Without a slash at its end. */
  server: string;
  isServerNamed: boolean;
}

/** `--config`, for commands that are told their place. */
export function addConfigFlag(command: Command): Command {
  return command.option('--config <file>', 'configuration file, as for `oneround serve`');
}

/** `--data`, with what it is for in this command. */
export function addDataFlag(command: Command, help: string): Command {
  return command.option('--data <directory>', `${help} (default: as for \`oneround serve\`)`);
}

/** `--database-url`, or `DATABASE_URL`, which keeps its password out of the list of processes. */
export function addDatabaseFlag(command: Command, help: string): Command {
  return command.option('--database-url <url>', help);
}

/** `--server`, or `ONEROUND_SERVER`. */
export function addServerFlag(command: Command, help: string): Command {
  return command.option('--server <url>', help);
}

/**
 * The place that the flags name, else the environment, else the configuration file. `--data` alone means that directory's
 * ledger, whatever server or Postgres the environment or the file names for commands without it.
 * @throws Error with one sentence that names the flag, the variable or the file's key that does not fit
 */
export async function placeOf({ config: file, server: named, ...flags }: PlaceFlags): Promise<Place> {
  const config = await loadServerConfig({ flags, environment: process.env, workingDirectory: process.cwd(), file });
  const { data, campaigns, host, port } = config;
  const isDirectory = flags.data !== undefined && flags.databaseUrl === undefined;
  const databaseUrl = isDirectory ? undefined : config.databaseUrl;
  const server = named ?? (isDirectory ? undefined : process.env.ONEROUND_SERVER);
  const address = server ?? addressHere(host, port);
  return { data, databaseUrl, campaigns, server: address.replace(/\/$/, ''), isServerNamed: server !== undefined };
}
