/** `oneround admin-token`: a new token for the admin API of the servers on a ledger that is there. */
import type { Command } from 'commander';
import { makeAdminToken } from '../ledger/index.ts';
import { addConfigFlag, addDatabaseFlag, addDataFlag, placeOf, type PlaceFlags } from './place.ts';

export function addAdminTokenCommand(program: Command): void {
  const command = program
    .command('admin-token')
    .description('make the token that opens the admin API; the one before stops working at once');
  addDataFlag(command, 'the data directory; a server may be running on it');
  addDatabaseFlag(command, 'make it for the servers on this Postgres instead');
  addConfigFlag(command).action(async (flags: PlaceFlags) => {
    const { data, databaseUrl } = await placeOf(flags);
    console.log(await makeAdminToken(data, databaseUrl));
    console.error('Keep it: it is not stored, only its hash is. ONEROUND_ADMIN_TOKEN is where commands look for it.');
  });
}
