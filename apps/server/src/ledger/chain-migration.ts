/** Migration 2: chains the rows that are there, in the order they came, and lets nothing of a row change but its fold. */
import { sql, type Kysely, type Migration } from 'kysely';
import { campaignDefinitionSchema } from '../campaign/index.ts';
import { rowHash } from './chain.ts';
import { changed, createGuard, dropGuard } from './dialect.ts';
import type { LedgerTables } from './schema.ts';

const fixedColumns = [
  ...['contribution_id', 'campaign_id', 'sequence', 'lease_id', 'client_id', 'public_key', 'signature', 'shard_index'],
  ...['sha256', 'bytes', 'label_tokens', 'examples', 'steps', 'local_loss', 'norm', 'bytes_down', 'training_ms'],
  ...['received_at', 'previous_hash', 'row_hash'],
];

export const chainMigration: Migration = {
  async up(db: Kysely<LedgerTables>) {
    await dropGuard(db, 'contributions_fold_once');
    for (const column of ['previous_hash', 'row_hash']) {
      await db.schema
        .alterTable('contributions')
        .addColumn(column, 'text', (definition) => definition.notNull().defaultTo(''))
        .execute();
    }
    for (const campaign of await db.selectFrom('campaigns').selectAll().execute()) await chain(db, campaign);
    await createGuard(db, {
      name: 'contributions_fold_once',
      table: 'contributions',
      on: 'update',
      when: sql`old.folded_version is not null or new.folded_version is null or ${changed(fixedColumns)}`,
      message: 'the ledger is append-only',
    });
  },
};

async function chain(db: Kysely<LedgerTables>, campaign: LedgerTables['campaigns']): Promise<void> {
  const { manifest } = campaignDefinitionSchema.parse(JSON.parse(campaign.definition));
  const rows = await db
    .selectFrom('contributions')
    .selectAll()
    .where('campaign_id', '=', campaign.id)
    .orderBy('sequence')
    .execute();
  let previous = campaign.definition_hash;
  for (const row of rows) {
    const hash = await rowHash(previous, { ...row, base_version: 0 }, manifest.layout.hash);
    await db
      .updateTable('contributions')
      .set({ previous_hash: previous, row_hash: hash })
      .where('contribution_id', '=', row.contribution_id)
      .execute();
    previous = hash;
  }
}
