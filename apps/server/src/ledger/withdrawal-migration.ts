/**
 * Migration 3: withdrawals are rows of the chain, whose end is kept with the campaign. A shard, and the bytes of a delta,
 * may come again once their contribution is withdrawn: intake decides that, no longer a constraint.
 */
import { sql, type Kysely, type Migration } from 'kysely';
import { keepAppendOnly } from './append-only.ts';
import type { LedgerTables } from './schema.ts';

const contributionColumns = [
  ...['contribution_id', 'campaign_id', 'sequence', 'lease_id', 'client_id', 'public_key', 'signature', 'shard_index'],
  ...['sha256', 'bytes', 'label_tokens', 'examples', 'steps', 'local_loss', 'norm', 'bytes_down', 'training_ms'],
  ...['received_at', 'previous_hash', 'row_hash'],
];

export const withdrawalMigration: Migration = {
  async up(db: Kysely<LedgerTables>) {
    await keepHeads(db);
    await remakeContributions(db);
    await db.schema
      .createTable('withdrawals')
      .addColumn('contribution_id', 'text', (column) => column.primaryKey())
      .addColumn('campaign_id', 'text', (column) => column.notNull())
      .addColumn('sequence', 'integer', (column) => column.notNull())
      .addColumn('version', 'integer')
      .addColumn('withdrawn_at', 'bigint', (column) => column.notNull())
      .addColumn('previous_hash', 'text', (column) => column.notNull())
      .addColumn('row_hash', 'text', (column) => column.notNull())
      .addUniqueConstraint('withdrawals_sequence', ['campaign_id', 'sequence'])
      .execute();
    const fixed = [
      'contribution_id',
      'campaign_id',
      'sequence',
      'version',
      'withdrawn_at',
      'previous_hash',
      'row_hash',
    ];
    await keepAppendOnly(db, 'withdrawals', { fixed });
  },
};

async function keepHeads(db: Kysely<LedgerTables>): Promise<void> {
  await db.schema
    .alterTable('campaigns')
    .addColumn('head_sequence', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .alterTable('campaigns')
    .addColumn('head_hash', 'text', (column) => column.notNull().defaultTo(''))
    .execute();
  await db
    .updateTable('campaigns')
    .set({ head_hash: sql.ref('definition_hash') })
    .execute();
  const rows = await db
    .selectFrom('contributions')
    .select(['campaign_id', 'sequence', 'row_hash'])
    .orderBy('sequence')
    .execute();
  for (const { campaign_id, sequence, row_hash } of rows) {
    await db
      .updateTable('campaigns')
      .set({ head_sequence: sequence, head_hash: row_hash })
      .where('id', '=', campaign_id)
      .execute();
  }
}

/** SQLite drops a constraint only with its table. */
async function remakeContributions(db: Kysely<LedgerTables>): Promise<void> {
  await db.schema
    .createTable('contributions_next')
    .addColumn('contribution_id', 'text', (column) => column.primaryKey())
    .addColumn('campaign_id', 'text', (column) => column.notNull())
    .addColumn('sequence', 'integer', (column) => column.notNull())
    .addColumn('lease_id', 'text', (column) => column.notNull().unique())
    .addColumn('client_id', 'text', (column) => column.notNull())
    .addColumn('public_key', 'text', (column) => column.notNull())
    .addColumn('signature', 'text', (column) => column.notNull())
    .addColumn('shard_index', 'integer')
    .addColumn('base_version', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .addColumn('label_tokens', 'bigint', (column) => column.notNull())
    .addColumn('examples', 'bigint', (column) => column.notNull())
    .addColumn('steps', 'bigint', (column) => column.notNull())
    .addColumn('local_loss', 'double precision', (column) => column.notNull())
    .addColumn('norm', 'double precision', (column) => column.notNull())
    .addColumn('bytes_down', 'bigint', (column) => column.notNull())
    .addColumn('training_ms', 'bigint', (column) => column.notNull())
    .addColumn('received_at', 'bigint', (column) => column.notNull())
    .addColumn('previous_hash', 'text', (column) => column.notNull())
    .addColumn('row_hash', 'text', (column) => column.notNull())
    .addColumn('folded_version', 'integer')
    .addUniqueConstraint('contributions_place', ['campaign_id', 'sequence'])
    .execute();
  const copied = sql.join([...contributionColumns, 'folded_version'].map((column) => sql.ref(column)));
  await sql`insert into contributions_next (${copied}) select ${copied} from contributions`.execute(db);
  await db.schema.dropTable('contributions').execute();
  await db.schema.alterTable('contributions_next').renameTo('contributions').execute();
  await db.schema
    .createIndex('contributions_of_bytes')
    .on('contributions')
    .columns(['campaign_id', 'sha256'])
    .execute();
  const fixed = [...contributionColumns, 'base_version'];
  await keepAppendOnly(db, 'contributions', { fixed, once: 'folded_version' });
}
