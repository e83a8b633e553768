/** The token that opens the admin API. Its SHA-256 is kept, so it is shown once; a new one replaces it at once. */
import { hashToken } from './admission.ts';
import { newToken } from './invites.ts';
import { openPresentDatabase } from './open-database.ts';
import { writeSetting } from './settings.ts';

/**
 * Makes a new token for the ledger of a data directory, or in a Postgres; servers may be running on it.
 * @throws Error with one sentence when there is no ledger, or one of another release
 */
export async function makeAdminToken(dataDir: string, databaseUrl?: string): Promise<string> {
  const database = await openPresentDatabase(dataDir, databaseUrl);
  try {
    const token = newToken();
    await writeSetting(database, 'admin_token_sha256', hashToken(token));
    return token;
  } finally {
    await database.destroy();
  }
}
