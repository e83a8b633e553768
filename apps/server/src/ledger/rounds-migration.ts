/** Migration 20: a lease is for one round: its shard is trained from this version. */
import type { Kysely, Migration } from 'kysely';
import { columnTypes } from './dialect.ts';
import type { LedgerTables } from './schema.ts';

export const roundsMigration: Migration = {
  async up(db: Kysely<LedgerTables>) {
    await db.schema
      .alterTable('leases')
      .addColumn('base_version', columnTypes(db).integer, (column) => column.notNull().defaultTo(0))
      .execute();
  },
};
