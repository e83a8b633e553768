/** The organiser behind a command: of a data directory that no server runs on, or of a running server's admin API. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { organiserOf, remoteOrganiser, type Organiser } from '../admin/index.ts';
import { DataDirInUse, Ledger, lockDataDir, thisProcess, verifyDataDir } from '../ledger/index.ts';
import { defaultDataDir } from './defaults.ts';

export const DEFAULT_SERVER = 'http://127.0.0.1:8787';

export interface OrganiserFlags {
  data: string;
  server?: string;
  adminToken?: string;
}

/** The flags of every command that an organiser uses. */
export function addOrganiserFlags(command: Command): Command {
  return command
    .option('--data <directory>', 'the data directory; used itself while no server runs on it', defaultDataDir)
    .option(
      '--server <url>',
      `the running server to go through (default: ${DEFAULT_SERVER} if one runs on the directory)`,
    )
    .addOption(
      new Option('--admin-token <secret>', 'of that server; `oneround admin-token` makes one').env(
        'ONEROUND_ADMIN_TOKEN',
      ),
    );
}

/**
 * Lets `use` work with the organiser that the flags lead to, and closes what was opened for it.
 * @throws Error with one sentence when there is no such data directory, or a server runs on it and no token was given
 */
export async function withOrganiser<Result>(
  { data, server, adminToken }: OrganiserFlags,
  use: (organiser: Organiser) => Promise<Result>,
): Promise<Result> {
  if (server !== undefined) return use(remoteOrganiser(server, required(adminToken, `the server at ${server}`)));
  if (!existsSync(join(data, 'ledger.sqlite'))) throw new Error(`${data} is no data directory of oneround`);
  let unlock: () => void;
  try {
    unlock = lockDataDir(data, thisProcess());
  } catch (error) {
    if (!(error instanceof DataDirInUse)) throw error;
    return use(remoteOrganiser(DEFAULT_SERVER, required(adminToken, `a server that runs on ${data}`)));
  }
  try {
    const ledger = await Ledger.open({ dataDir: data });
    try {
      return await use(
        organiserOf(ledger, (campaign) => verifyOne(data, campaign), { changed: () => {}, deleted: async () => {} }),
      );
    } finally {
      await ledger.close();
    }
  } finally {
    unlock();
  }
}

async function verifyOne(data: string, campaign: string) {
  for await (const report of verifyDataDir(data, campaign)) return report;
  throw new Error(`${data} holds no campaign called "${campaign}"`);
}

function required(adminToken: string | undefined, of: string): string {
  if (adminToken !== undefined) return adminToken;
  throw new Error(
    `This goes through the admin API of ${of}: put its token into ONEROUND_ADMIN_TOKEN (\`oneround admin-token\` makes one), and name a server that is not at ${DEFAULT_SERVER} with --server.`,
  );
}
