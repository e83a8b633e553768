/** What a server keeps for itself beside the ledger: secrets and their hashes, by name. */
import type { LedgerDatabase } from './open-database.ts';

/** `address_key`: of the tags of network addresses. `admin_token_sha256`: of the token that opens the admin API. */
export type SettingName = 'address_key' | 'admin_token_sha256';

/** A setting, made and kept when it is asked for first; servers that ask at once agree. */
export async function readSetting(db: LedgerDatabase, name: SettingName, make: () => string): Promise<string> {
  const stored = await findSetting(db, name);
  if (stored !== null) return stored;
  await db
    .insertInto('settings')
    .values({ name, value: make() })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return (await findSetting(db, name))!;
}

/** A setting, or null while nobody has made it. */
export async function findSetting(db: LedgerDatabase, name: SettingName): Promise<string | null> {
  const row = await db.selectFrom('settings').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value ?? null;
}

/** Sets a setting, whatever it was. */
export async function writeSetting(db: LedgerDatabase, name: SettingName, value: string): Promise<void> {
  await db
    .insertInto('settings')
    .values({ name, value })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
    .execute();
}
