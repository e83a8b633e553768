/** Migration 5: a campaign's status and terms, invites to it, and what the server keeps for itself. */
import type { Kysely, Migration } from 'kysely';
import { columnTypes } from './dialect.ts';
import type { LedgerTables } from './schema.ts';

export const lifeMigration: Migration = {
  async up(db: Kysely<LedgerTables>) {
    const { text, integer } = columnTypes(db);
    await db.schema
      .alterTable('campaigns')
      .addColumn('status', text, (column) => column.notNull().defaultTo('open'))
      .execute();
    await db.schema
      .alterTable('campaigns')
      .addColumn('terms', text, (column) => column.notNull().defaultTo('{}'))
      .execute();
    await db.schema
      .createTable('addresses')
      .addColumn('lease_id', text, (column) => column.primaryKey())
      .addColumn('campaign_id', text, (column) => column.notNull())
      .addColumn('tag', text, (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('invites')
      .addColumn('token_sha256', text, (column) => column.primaryKey())
      .addColumn('campaign_id', text, (column) => column.notNull())
      .addColumn('created_at', integer, (column) => column.notNull())
      .addColumn('expires_at', integer)
      .addColumn('max_uses', integer)
      .addColumn('uses', integer, (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('settings')
      .addColumn('name', text, (column) => column.primaryKey())
      .addColumn('value', text, (column) => column.notNull())
      .execute();
  },
};
