/** Migration 25: an organiser may change a campaign's terms; those of its file are kept to tell when they change too. */
import { sql, type Kysely, type Migration } from 'kysely';
import { columnTypes } from './dialect.ts';
import type { LedgerTables } from './schema.ts';

export const termsMigration: Migration = {
  async up(db: Kysely<LedgerTables>) {
    const { text, integer } = columnTypes(db);
    await db.schema
      .alterTable('campaigns')
      .addColumn('file_terms', text, (column) => column.notNull().defaultTo('{}'))
      .execute();
    await db.schema
      .alterTable('campaigns')
      .addColumn('wording', integer, (column) => column.notNull().defaultTo(0))
      .execute();
    await sql`update campaigns set file_terms = terms`.execute(db);
  },
};
