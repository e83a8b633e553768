/** What a server is told: every setting with its check, its default and its words, once for flags, environment and file. */
import * as z from 'zod';
import { defaultDataDir, parsePort } from '../cli/defaults.ts';
import { parseBytes, parseCount, parseToken } from '../cli/limits.ts';
import { logFormats, logLevels } from '../operations/index.ts';

/** A value as a person writes it: text in flags and environment, numbers too in a file. */
function written<Value>(parse: (text: string) => Value) {
  return z.union([z.string(), z.number()]).transform((value, context): Value => {
    try {
      return parse(String(value));
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });
}

const yesOrNo = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);
const pathList = z.union([
  z.string().transform((text) => text.split(',').map((path) => path.trim())),
  z.array(z.string()),
]);

/** The one schema that flags, environment and file are checked by. */
export const serverConfigSchema = z.strictObject({
  host: z.string().min(1).default('127.0.0.1'),
  port: written(parsePort).default(8787),
  data: z.string().min(1).default(defaultDataDir),
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'a Postgres is named as postgres://user@host/database')
    .optional(),
  campaign: pathList.optional(),
  campaigns: z.string().min(1).optional(),
  maxDataBytes: written(parseBytes).optional(),
  minFreeBytes: written(parseBytes).optional(),
  trustProxy: yesOrNo.default(false),
  socketsPerAddress: written(parseCount).optional(),
  metricsToken: written(parseToken).optional(),
  logLevel: z.enum(logLevels).default('warn'),
  logFormat: z.enum(logFormats).optional(),
});
export type ServerConfig = z.output<typeof serverConfigSchema>;
export type Setting = keyof ServerConfig;

/** Never printed. */
export const secrets: ReadonlySet<Setting> = new Set(['databaseUrl', 'metricsToken']);

/** Paths are relative to where they are written: the working directory, or the folder of the configuration file. */
export const paths: ReadonlySet<Setting> = new Set(['data', 'campaign', 'campaigns']);

/** The flag's value and what a setting is for. */
export const words: Readonly<Record<Setting, { value: string; help: string }>> = {
  host: { value: '<address>', help: 'address to listen on (default: 127.0.0.1)' },
  port: { value: '<number>', help: 'port to listen on; 0 takes any (default: 8787)' },
  data: { value: '<directory>', help: `where the ledger and the blobs are kept (default: ${defaultDataDir})` },
  databaseUrl: {
    value: '<url>',
    help: 'keep the ledger in this Postgres, shared with other servers; --data then holds copies',
  },
  campaign: {
    value: '<file...>',
    help: 'campaign.json files to serve besides the campaigns of the ledger (default: the sample, if there are none)',
  },
  campaigns: {
    value: '<folder>',
    help: 'let organisers add <folder>/<name>/campaign.json to a running server (default: none)',
  },
  maxDataBytes: { value: '<size>', help: 'stop intake before uploads and blobs take more, as 50GiB' },
  minFreeBytes: { value: '<size>', help: 'stop intake while the disk has less free (default: 1GiB)' },
  trustProxy: {
    value: '',
    help: "take the last address of X-Forwarded-For for the client's: a proxy in front writes it",
  },
  socketsPerAddress: { value: '<number>', help: 'connections of one network address (default: 300)' },
  metricsToken: { value: '<secret>', help: 'open /metrics to whoever sends it (default: to this machine)' },
  logLevel: { value: '<level>', help: `least that is logged: ${logLevels.join(', ')} (default: warn)` },
  logFormat: { value: '<format>', help: `${logFormats.join(' or ')} (default: pretty on a terminal, else json)` },
};

/** Every setting, in the order of the schema. */
export const settings = Object.keys(serverConfigSchema.shape) as Setting[];

/** `maxDataBytes` as `--max-data-bytes`. */
export function flagOf(setting: Setting): string {
  return `--${setting.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `maxDataBytes` as `ONEROUND_MAX_DATA_BYTES`; a database has the name that hosts give it. */
export function variableOf(setting: Setting): string {
  if (setting === 'databaseUrl') return 'DATABASE_URL';
  return `ONEROUND_${setting.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
