/** `oneround admin-token`: a new token for the admin API of the server that runs, or will run, on a data directory. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { makeAdminToken } from '../ledger/index.ts';
import { databaseUrlOption } from './database-url.ts';
import { defaultDataDir } from './defaults.ts';

export function addAdminTokenCommand(program: Command): void {
  program
    .command('admin-token')
    .description('make the token that opens the admin API; the one before stops working at once')
    .option('--data <directory>', 'the data directory; a server may be running on it', defaultDataDir)
    .addOption(databaseUrlOption('make it for the servers on this Postgres instead'))
    .action(async ({ data, databaseUrl }: { data: string; databaseUrl?: string }) => {
      if (databaseUrl === undefined && !existsSync(data)) {
        throw new Error(`there is no directory ${data}; start the server on it first`);
      }
      console.log(await makeAdminToken(data, databaseUrl));
      console.error('Keep it: it is not stored, only its hash is. ONEROUND_ADMIN_TOKEN is where commands look for it.');
    });
}
