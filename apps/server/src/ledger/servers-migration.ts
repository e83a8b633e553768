/**
 * Migration 10: what several servers on one Postgres share besides the ledger; SQLite has one server, and files. Both find
 * the leases under way without reading all that ever were.
 */
import { sql, type Kysely, type Migration } from 'kysely';
import { columnTypes, isPostgres } from './dialect.ts';
import type { LedgerTables } from './schema.ts';

export const serversMigration: Migration = {
  async up(db: Kysely<LedgerTables>) {
    await db.schema
      .createIndex('leases_under_way')
      .on('leases')
      .columns(['campaign_id', 'expires_at'])
      .where(sql.ref('ended'), 'is', null)
      .execute();
    await db.schema
      .alterTable('fold_lease')
      .addColumn('expires_at', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    if (!isPostgres(db)) return;
    const { text, integer } = columnTypes(db);
    await db.schema
      .createTable('chunks')
      .addColumn('upload', text, (column) => column.notNull())
      .addColumn('start', integer, (column) => column.notNull())
      .addColumn('data', 'bytea', (column) => column.notNull())
      .addPrimaryKeyConstraint('chunks_key', ['upload', 'start'])
      .execute();
    // Deltas do not compress; Postgres need not try.
    await sql`alter table chunks alter column data set storage external`.execute(db);
    await db.schema
      .createTable('blobs')
      .addColumn('sha256', text, (column) => column.primaryKey())
      .addColumn('upload', text, (column) => column.notNull())
      .addColumn('bytes', integer, (column) => column.notNull())
      .execute();
    await db.schema.createIndex('blobs_of_upload').on('blobs').column('upload').execute();
    // As @socket.io/postgres-adapter wants it: messages too long for NOTIFY.
    await sql`create table socket_io_attachments
      (id bigserial unique, created_at timestamptz default now(), payload bytea)`.execute(db);
  },
};
