/** Migration 15: what is counted and sorted by stands in columns of its own, beside the JSON it was read from. */
import { sql, type Kysely, type Migration } from 'kysely';
import { columnTypes, isPostgres } from './dialect.ts';
import type { LedgerTables } from './schema.ts';

export const participationMigration: Migration = {
  async up(db: Kysely<LedgerTables>) {
    const { text, integer } = columnTypes(db);
    await db.schema
      .alterTable('leases')
      .addColumn('joined_at', integer, (column) => column.notNull().defaultTo(0))
      .execute();
    await db.schema
      .alterTable('leases')
      .addColumn('phase', text, (column) => column.notNull().defaultTo('joined'))
      .execute();
    await db.schema
      .alterTable('leases')
      .addColumn('refused', integer, (column) => column.notNull().defaultTo(0))
      .execute();
    const field = (name: string) =>
      isPostgres(db) ? sql`client::json ->> ${sql.lit(name)}` : sql`json_extract(client, ${sql.lit(`$.${name}`)})`;
    await sql`update leases set phase = ${field('phase')}, joined_at = cast(${field('joinedAt')} as ${sql.raw(integer)}),
      refused = case when ${field('refusal')} is not null and ${field('contributionId')} is null then 1 else 0 end`.execute(
      db,
    );
    // What is counted and looked for all the time is in the index itself: a lease's row is half a kilobyte.
    await db.schema
      .createIndex('leases_by_age')
      .on('leases')
      .columns(['campaign_id', 'joined_at', 'phase', 'refused'])
      .execute();
    await db.schema
      .createIndex('leases_alive')
      .on('leases')
      .columns(['ended', 'expires_at', 'campaign_id', 'shard_index', 'public_key'])
      .execute();
    await db.schema
      .createIndex('contributions_of_version')
      .on('contributions')
      .columns(['campaign_id', 'folded_version'])
      .execute();
    await db.schema.createIndex('log_of_campaign').on('log').columns(['campaign_id', 'id']).execute();
  },
};
