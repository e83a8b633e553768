/**
 * Where the ledger or the server is that a command is about: told by flags, environment and configuration file, the same as
 * `oneround serve` reads.
 */
import { type Command, Option } from 'commander';
import { loadServerConfig } from '../config/index.ts';

export interface PlaceFlags {
  config?: string;
  data?: string;
  databaseUrl?: string;
  server?: string;
}

export interface Place {
  data: string;
  databaseUrl: string | undefined;
  /** The server that was named; else where one started from the same configuration listens. Without a slash at its end. */
  server: string;
  isServerNamed: boolean;
}

/** Every address of a machine: reached by this one. */
const ANY_HOST: ReadonlySet<string> = new Set(['0.0.0.0', '::', '[::]']);

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
  return command.addOption(new Option('--server <url>', help).env('ONEROUND_SERVER'));
}

/** @throws Error with one sentence that names the flag, the variable or the file's key that does not fit */
export async function placeOf({ config: file, server, ...flags }: PlaceFlags): Promise<Place> {
  const config = await loadServerConfig({ flags, environment: process.env, workingDirectory: process.cwd(), file });
  const { data, databaseUrl, host, port } = config;
  const here = ANY_HOST.has(host) ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  const address = server ?? `http://${here}:${port}`;
  return { data, databaseUrl, server: address.replace(/\/$/, ''), isServerNamed: server !== undefined };
}
