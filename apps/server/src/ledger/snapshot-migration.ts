/** Migration 4: only some versions keep their sum. Those that are there are thinned out at the next snapshot. */
import type { Kysely, Migration } from 'kysely';
import { columnTypes } from './dialect.ts';
import type { LedgerTables } from './schema.ts';

export const snapshotMigration: Migration = {
  async up(db: Kysely<LedgerTables>) {
    const { text, integer } = columnTypes(db);
    await db.schema
      .createTable('snapshots')
      .addColumn('campaign_id', text, (column) => column.notNull())
      .addColumn('version', integer, (column) => column.notNull())
      .addColumn('sha256', text, (column) => column.notNull())
      .addColumn('created_at', integer, (column) => column.notNull())
      .addPrimaryKeyConstraint('snapshots_key', ['campaign_id', 'version'])
      .execute();
    await db
      .insertInto('snapshots')
      .columns(['campaign_id', 'version', 'sha256', 'created_at'])
      .expression((from) => from.selectFrom('versions').select(['campaign_id', 'version', 'sum_sha256', 'created_at']))
      .execute();
  },
};
