/** The organiser behind a command: of a data directory that no server runs on, or of a running server's admin API. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { isPath, organiserOf, remoteOrganiser, type Organiser } from '../admin/index.ts';
import { CampaignFolder } from '../campaign/index.ts';
import { DataDirInUse, Ledger, lockDataDir, nameOfDatabase, thisProcess, verifyDataDir } from '../ledger/index.ts';
import { addConfigFlag, addDatabaseFlag, addDataFlag, addServerFlag, placeOf, type PlaceFlags } from './place.ts';

export interface OrganiserFlags extends PlaceFlags {
  adminToken?: string;
}

/** The flags of every command that an organiser uses. */
export function addOrganiserFlags(command: Command): Command {
  addDataFlag(command, 'the data directory; used itself while no server runs on it');
  addDatabaseFlag(command, 'the Postgres of the servers to go through');
  addServerFlag(command, 'the running server to go through (default: where `oneround serve` listens)');
  addConfigFlag(command);
  return command.addOption(
    new Option('--admin-token <secret>', 'of that server; `oneround admin-token` makes one').env(
      'ONEROUND_ADMIN_TOKEN',
    ),
  );
}

/**
 * Lets `use` work with the organiser that the flags lead to, and closes what was opened for it. It is also told where the
 * server is, or would be. One that holds the data directory is found wherever it listens.
 * @throws Error with one sentence when there is no such data directory, or a server is needed and no token was given
 */
export async function withOrganiser<Result>(
  { adminToken, ...flags }: OrganiserFlags,
  use: (organiser: Organiser, server: string) => Promise<Result>,
): Promise<Result> {
  const { data, databaseUrl, campaigns, server, isServerNamed } = await placeOf(flags);
  const through = (which: string, at = server) => use(remoteOrganiser(at, required(adminToken, which, at)), at);
  if (isServerNamed) return through(`the server at ${server}`);
  if (databaseUrl !== undefined) return through(`a server on the Postgres ${nameOfDatabase(databaseUrl)}`);
  if (!existsSync(join(data, 'ledger.sqlite'))) throw new Error(`${data} is no data directory of oneround`);
  let unlock: () => void;
  try {
    unlock = lockDataDir(data, thisProcess());
  } catch (error) {
    if (!(error instanceof DataDirInUse)) throw error;
    if (error.url !== null && error.url !== server) {
      console.error(
        `The server that runs on ${data} listens at ${error.url}, not at ${server}, where it would be by the configuration of this command.`,
      );
    }
    return through(`a server that runs on ${data}`, error.url ?? server);
  }
  try {
    const ledger = await Ledger.open({ dataDir: data });
    try {
      const folder = new CampaignFolder(campaigns);
      const deeds = {
        campaignFiles: () => folder.list(),
        addCampaign: async (file: string) => ledger.addCampaign(isPath(file) ? file : await folder.fileOf(file)),
        verify: (campaign: string) => verifyOne(data, campaign),
      };
      const onChange = { changed: () => {}, deleted: async () => {} };
      return await use(organiserOf(ledger, deeds, onChange), server);
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

function required(adminToken: string | undefined, which: string, server: string): string {
  if (adminToken !== undefined) return adminToken;
  throw new Error(
    `This goes through the admin API of ${which}: put its token into ONEROUND_ADMIN_TOKEN (\`oneround admin-token\` makes one), and name a server that is not at ${server} with --server.`,
  );
}
