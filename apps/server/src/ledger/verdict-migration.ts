/** Migration 11: what the screens decide are rows of the chain; a version has a scale; a campaign settles on its last. */
import type { Kysely, Migration } from 'kysely';
import { keepAppendOnly } from './append-only.ts';
import { columnTypes } from './dialect.ts';
import type { LedgerTables } from './schema.ts';

const columns = [
  ...['campaign_id', 'sequence', 'contribution_id', 'verdict', 'reason', 'cosine', 'worst_loss', 'version'],
  ...['decided_at', 'previous_hash', 'row_hash'],
];

export const verdictMigration: Migration = {
  async up(db: Kysely<LedgerTables>) {
    const { text, integer, real } = columnTypes(db);
    await db.schema
      .createTable('verdicts')
      .addColumn('campaign_id', text, (column) => column.notNull())
      .addColumn('sequence', integer, (column) => column.notNull())
      .addColumn('contribution_id', text, (column) => column.notNull())
      .addColumn('verdict', text, (column) => column.notNull())
      .addColumn('reason', text)
      .addColumn('cosine', real)
      .addColumn('worst_loss', real)
      .addColumn('version', integer)
      .addColumn('decided_at', integer, (column) => column.notNull())
      .addColumn('previous_hash', text, (column) => column.notNull())
      .addColumn('row_hash', text, (column) => column.notNull())
      .addPrimaryKeyConstraint('verdicts_key', ['campaign_id', 'sequence'])
      .execute();
    await db.schema.createIndex('verdicts_of_contribution').on('verdicts').column('contribution_id').execute();
    await keepAppendOnly(db, 'verdicts', { fixed: columns });
    await db.schema
      .alterTable('versions')
      .addColumn('scale', real, (column) => column.notNull().defaultTo(1))
      .execute();
    await db.schema.alterTable('campaigns').addColumn('settled_version', integer).execute();
  },
};
