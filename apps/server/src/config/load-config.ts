/** The configuration of a server: flags, then the environment, then a file, then the defaults. */
import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { loadConfig } from 'c12';
import { defaultCampaign } from '../cli/defaults.ts';
import {
  flagOf,
  paths,
  secrets,
  type ServerConfig,
  serverConfigSchema,
  type Setting,
  settings,
  variableOf,
} from './schema.ts';

/** Where settings come from. */
export interface ConfigSources {
  /** By setting, as the command line gave them; absent ones are undefined. */
  flags: Partial<Record<Setting, unknown>>;
  environment: NodeJS.ProcessEnv;
  /** The folder of `oneround.config.json`, `.yaml` or `.ts`, and what relative paths start from. */
  workingDirectory: string;
  /** A configuration file by another name or in another place. */
  file?: string | undefined;
}

/** A setting with the words for where it was written. */
interface Written {
  value: unknown;
  at: string;
}

/** @throws Error with one sentence that names the flag, the variable or the file's key */
export async function loadServerConfig(sources: ConfigSources): Promise<ServerConfig> {
  const { flags, environment, workingDirectory } = sources;
  const written = new Map<string, Written>();
  const file = await readConfigFile(sources);
  for (const [key, value] of Object.entries(file?.settings ?? {})) {
    written.set(key, { value: located(key, value, dirname(file!.path)), at: `${key} in ${file!.path}` });
  }
  for (const setting of settings) {
    const variable = variableOf(setting);
    const places = [
      { value: environment[variable], at: `the environment variable ${variable}` },
      { value: flags[setting], at: `the flag ${flagOf(setting)}` },
    ];
    for (const { value, at } of places) {
      if (value !== undefined) written.set(setting, { value: located(setting, value, workingDirectory), at });
    }
  }
  const parsed = serverConfigSchema.safeParse(Object.fromEntries([...written].map(([key, { value }]) => [key, value])));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const [key] = issue.keys;
    throw new Error(`There is no setting ${written.get(key!)?.at ?? key}. There are ${settings.join(', ')}.`);
  }
  const setting = String(issue?.path[0]);
  throw new Error(`The setting by ${written.get(setting)?.at ?? setting} does not fit: ${issue?.message}`);
}

/** As it may be printed: without secrets, and with what is not set as null, or in words where that means something else. */
export function printableConfig(config: ServerConfig): Record<string, unknown> {
  return Object.fromEntries(
    settings.map((setting) => {
      const value = config[setting] ?? unset[setting] ?? null;
      return [setting, value !== null && secrets.has(setting) ? '(secret)' : value];
    }),
  );
}

/** What only the ledger can tell. */
const unset: Partial<Record<Setting, string>> = {
  campaign: `(those of the ledger; where there are none, ${defaultCampaign})`,
};

/** Relative paths start from `folder`. */
function located(key: string, value: unknown, folder: string): unknown {
  if (!(paths as ReadonlySet<string>).has(key)) return value;
  if (typeof value === 'string')
    return value
      .split(',')
      .map((path) => resolve(folder, path.trim()))
      .join(',');
  return Array.isArray(value) ? value.map((path) => resolve(folder, String(path))) : value;
}

async function readConfigFile({
  file,
  workingDirectory,
}: ConfigSources): Promise<{ path: string; settings: Record<string, unknown> } | null> {
  const named = file === undefined ? null : resolve(workingDirectory, file);
  if (named && !existsSync(named)) throw new Error(`There is no configuration file ${named}.`);
  const cwd = named ? dirname(named) : workingDirectory;
  try {
    const { config, configFile } = await loadConfig<Record<string, unknown>>({
      name: 'oneround',
      cwd,
      ...(named && { configFile: basename(named) }),
      // One file, as it stands: no other places, no inheritance, nothing from the network.
      ...{
        rcFile: false,
        globalRc: false,
        packageJson: false,
        dotenv: false,
        envName: false,
        extend: false,
        giget: false,
      },
    });
    // c12 names the file that it looked for also when it is not there.
    return configFile && existsSync(configFile) ? { path: configFile, settings: config ?? {} } : null;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`The configuration file in ${cwd} cannot be read: ${reason}`, { cause });
  }
}
