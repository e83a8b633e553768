/** A data directory's ledger as somebody with the file in hand reads it, writes to it and forges it. */
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { rowHash } from '../ledger/chain.ts';
import type { CampaignTable, ContributionTable } from '../ledger/schema.ts';

/** Rows as a reader of the file sees them; a server may have it open. */
export function selectRows<Row>(dataDir: string, query: string): Row[] {
  return using(dataDir, { readonly: true }, (sqlite) => sqlite.prepare(query).all() as Row[]);
}

/** Writes to the ledger. @throws what a trigger says */
export function writeTo(dataDir: string, ...statements: string[]): void {
  using(dataDir, {}, (sqlite) => statements.forEach((statement) => sqlite.exec(statement)));
}

/** Writes to the ledger, and no trigger stops that. */
export function tamperWith(dataDir: string, ...statements: string[]): void {
  const triggers = selectRows<{ name: string }>(dataDir, `select name from sqlite_master where type = 'trigger'`);
  writeTo(dataDir, ...triggers.map(({ name }) => `drop trigger ${name}`), ...statements);
}

/** Chains the contributions anew, as a forger of rows would; they are the only rows of the chain. */
export async function rechain(dataDir: string): Promise<void> {
  const [campaign] = selectRows<CampaignTable>(dataDir, 'select * from campaigns');
  const { manifest } = JSON.parse(campaign!.definition) as { manifest: { layout: { hash: string } } };
  const rows = selectRows<ContributionTable>(dataDir, 'select * from contributions order by sequence');
  let previous = campaign!.definition_hash;
  for (const row of rows) {
    const hash = await rowHash(previous, row, manifest.layout.hash);
    const chained = `previous_hash = '${previous}', row_hash = '${hash}'`;
    tamperWith(dataDir, `update contributions set ${chained} where sequence = ${row.sequence}`);
    previous = hash;
  }
  tamperWith(dataDir, `update campaigns set head_hash = '${previous}', head_sequence = ${rows.length}`);
}

function using<Result>(
  dataDir: string,
  options: SqliteDatabase.Options,
  use: (sqlite: SqliteDatabase.Database) => Result,
): Result {
  const sqlite = new SqliteDatabase(join(dataDir, 'ledger.sqlite'), options);
  try {
    return use(sqlite);
  } finally {
    sqlite.close();
  }
}
