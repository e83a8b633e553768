/** Triggers that keep rows as they were written. Only a campaign that is deleted as a whole takes its rows with it. */
import { sql, type Kysely } from 'kysely';
import { changed, createGuard } from './dialect.ts';
import type { LedgerTables } from './schema.ts';

/**
 * Refuses every change of a row of `table` in `fixed` columns, of `once` when it is set already, and the deletion of a row
 * whose campaign is there.
 */
export async function keepAppendOnly(
  db: Kysely<LedgerTables>,
  table: string,
  { fixed, once }: { fixed: readonly string[]; once?: string },
): Promise<void> {
  const message = 'the ledger is append-only';
  const unset = once === undefined ? undefined : { old: sql.ref(`old.${once}`), new: sql.ref(`new.${once}`) };
  await createGuard(db, {
    ...{ name: `${table}_stay`, table, on: 'delete', message },
    when: sql`exists (select 1 from campaigns where id = old.campaign_id)`,
  });
  await createGuard(db, {
    ...{ name: `${table}_unchanged`, table, on: 'update', message },
    when: unset ? sql`${changed(fixed)} or ${unset.old} is not null or ${unset.new} is null` : changed(fixed),
  });
}
