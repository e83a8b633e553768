/** The ledger's migrations, in code and numbered; run at every start (Kysely's Migrator applies what is missing). */
import { sql, type Kysely, type Migration, type MigrationProvider } from 'kysely';
import { chainMigration } from './chain-migration.ts';
import { changed, columnTypes, createGuard, isPostgres } from './dialect.ts';
import { lifeMigration } from './life-migration.ts';
import { participationMigration } from './participation-migration.ts';
import { roundsMigration } from './rounds-migration.ts';
import { serversMigration } from './servers-migration.ts';
import type { LedgerTables } from './schema.ts';
import { snapshotMigration } from './snapshot-migration.ts';
import { termsMigration } from './terms-migration.ts';
import { verdictMigration } from './verdict-migration.ts';
import { withdrawalMigration } from './withdrawal-migration.ts';

const first: Migration = {
  async up(db: Kysely<LedgerTables>) {
    const { text, integer, real } = columnTypes(db);
    await db.schema
      .createTable('campaigns')
      .addColumn('id', text, (column) => column.primaryKey())
      .addColumn('definition_hash', text, (column) => column.notNull())
      .addColumn('definition', text, (column) => column.notNull())
      .addColumn('opened_at', integer, (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('files')
      .addColumn('campaign_id', text, (column) => column.notNull())
      .addColumn('sha256', text, (column) => column.notNull())
      .addColumn('path', text, (column) => column.notNull())
      .addColumn('bytes', integer, (column) => column.notNull())
      .addPrimaryKeyConstraint('files_key', ['campaign_id', 'path'])
      .execute();
    await db.schema
      .createTable('leases')
      .addColumn('lease_id', text, (column) => column.primaryKey())
      .addColumn('campaign_id', text, (column) => column.notNull())
      .addColumn('public_key', text, (column) => column.notNull())
      .addColumn('source', text, (column) => column.notNull())
      .addColumn('shard_index', integer)
      .addColumn('expires_at', integer, (column) => column.notNull())
      .addColumn('ended', text)
      .addColumn('client', text, (column) => column.notNull())
      .execute();
    await db.schema.createIndex('leases_of_campaign').on('leases').column('campaign_id').execute();
    await db.schema
      .createTable('uploads')
      .addColumn('contribution_id', text, (column) => column.primaryKey())
      .addColumn('campaign_id', text, (column) => column.notNull())
      .addColumn('lease_id', text, (column) => column.notNull().unique())
      .addColumn('sha256', text, (column) => column.notNull())
      .addColumn('bytes', integer, (column) => column.notNull())
      .addColumn('begin', text, (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('contributions')
      .addColumn('contribution_id', text, (column) => column.primaryKey())
      .addColumn('campaign_id', text, (column) => column.notNull())
      .addColumn('sequence', integer, (column) => column.notNull())
      .addColumn('lease_id', text, (column) => column.notNull().unique())
      .addColumn('client_id', text, (column) => column.notNull())
      .addColumn('public_key', text, (column) => column.notNull())
      .addColumn('signature', text, (column) => column.notNull())
      .addColumn('shard_index', integer)
      .addColumn('sha256', text, (column) => column.notNull())
      .addColumn('bytes', integer, (column) => column.notNull())
      .addColumn('label_tokens', integer, (column) => column.notNull())
      .addColumn('examples', integer, (column) => column.notNull())
      .addColumn('steps', integer, (column) => column.notNull())
      .addColumn('local_loss', real, (column) => column.notNull())
      .addColumn('norm', real, (column) => column.notNull())
      .addColumn('bytes_down', integer, (column) => column.notNull())
      .addColumn('training_ms', integer, (column) => column.notNull())
      .addColumn('received_at', integer, (column) => column.notNull())
      .addColumn('folded_version', integer)
      .addUniqueConstraint('contributions_sequence', ['campaign_id', 'sequence'])
      .addUniqueConstraint('contributions_bytes', ['campaign_id', 'sha256'])
      // Own data has no shard; SQL lets any number of nulls be "unique".
      .addUniqueConstraint('contributions_shard', ['campaign_id', 'shard_index'])
      .execute();
    const guard = { table: 'contributions', message: 'the ledger is append-only' };
    await createGuard(db, { ...guard, name: 'contributions_stay', on: 'delete' });
    const content = changed(['contribution_id', 'sha256', 'label_tokens', 'sequence']);
    const when = sql`old.folded_version is not null or new.folded_version is null or ${content}`;
    await createGuard(db, { ...guard, name: 'contributions_fold_once', on: 'update', when });
    await db.schema
      .createTable('versions')
      .addColumn('campaign_id', text, (column) => column.notNull())
      .addColumn('version', integer, (column) => column.notNull())
      .addColumn('sha256', text, (column) => column.notNull())
      .addColumn('export_sha256', text, (column) => column.notNull())
      .addColumn('sum_sha256', text, (column) => column.notNull())
      .addColumn('weight', real, (column) => column.notNull())
      .addColumn('label_tokens', integer, (column) => column.notNull())
      .addColumn('created_at', integer, (column) => column.notNull())
      .addPrimaryKeyConstraint('versions_key', ['campaign_id', 'version'])
      .execute();
    await db.schema
      .createTable('evaluations')
      .addColumn('campaign_id', text, (column) => column.notNull())
      .addColumn('kind', text, (column) => column.notNull())
      .addColumn('subject', text, (column) => column.notNull())
      .addColumn('result', text, (column) => column.notNull())
      .addPrimaryKeyConstraint('evaluations_key', ['campaign_id', 'kind', 'subject'])
      .execute();
    await db.schema
      .createTable('log')
      .addColumn('id', isPostgres(db) ? 'bigserial' : integer, (column) =>
        isPostgres(db) ? column.primaryKey() : column.primaryKey().autoIncrement(),
      )
      .addColumn('campaign_id', text, (column) => column.notNull())
      .addColumn('at', integer, (column) => column.notNull())
      .addColumn('kind', text, (column) => column.notNull())
      .addColumn('message', text, (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('fold_lease')
      .addColumn('id', integer, (column) => column.primaryKey())
      .addColumn('epoch', integer, (column) => column.notNull())
      .execute();
    await sql`insert into fold_lease (id, epoch) values (1, 0)`.execute(db);
  },
};

/** Migrations by name; applied in the order of their names. */
export const ledgerMigrations: MigrationProvider = {
  getMigrations: () =>
    Promise.resolve({
      '001-ledger': first,
      '002-chain': chainMigration,
      '003-withdrawals': withdrawalMigration,
      '004-snapshots': snapshotMigration,
      '005-life': lifeMigration,
      '010-servers': serversMigration,
      '011-verdicts': verdictMigration,
      '015-participations': participationMigration,
      '020-rounds': roundsMigration,
      '025-terms': termsMigration,
    }),
};
