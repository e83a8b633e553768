/** The token that opens the admin API. Its SHA-256 is kept, so it is shown once; a new one replaces it at once. */
import { hashToken } from './admission.ts';
import { newToken } from './invites.ts';
import { openDatabase } from './open-database.ts';
import { writeSetting } from './settings.ts';

/** Makes a new token for a data directory, whose server may be running. */
export async function makeAdminToken(dataDir: string): Promise<string> {
  const database = await openDatabase(dataDir);
  try {
    const token = newToken();
    await writeSetting(database, 'admin_token_sha256', hashToken(token));
    return token;
  } finally {
    await database.destroy();
  }
}
