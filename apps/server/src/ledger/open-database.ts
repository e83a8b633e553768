/**
 * The database behind the ledger: an SQLite file (write-ahead log), or a Postgres that several servers share. In both, a
 * commit is on the disk before it is acknowledged.
 */
import SqliteDatabase from 'better-sqlite3';
import { Kysely, Migrator, PostgresDialect, sql, SqliteDialect } from 'kysely';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ledgerMigrations } from './migrations.ts';
import { openPool } from './postgres.ts';
import type { LedgerTables } from './schema.ts';

export type LedgerDatabase = Kysely<LedgerTables>;

/** The ledger's calls follow one another; besides them there is only the fold lease, which is kept up meanwhile. */
const CONNECTIONS = 4;

/**
 * Opens the Postgres at `databaseUrl`, or `<dataDir>/ledger.sqlite` when there is none, creating and migrating what is in it
 * as needed. @throws the first migration's error
 */
export async function openDatabase(dataDir: string, databaseUrl?: string): Promise<LedgerDatabase> {
  const database = databaseUrl === undefined ? openSqlite(dataDir) : openPostgres(databaseUrl);
  const { error } = await new Migrator({ db: database, provider: ledgerMigrations }).migrateToLatest();
  if (error === undefined) return database;
  await database.destroy();
  throw error;
}

function openSqlite(dataDir: string): LedgerDatabase {
  const sqlite = new SqliteDatabase(join(dataDir, 'ledger.sqlite'));
  sqlite.pragma('journal_mode = WAL');
  sqlite.pragma('synchronous = FULL');
  sqlite.pragma('foreign_keys = ON');
  return new Kysely<LedgerTables>({ dialect: new SqliteDialect({ database: sqlite }) });
}

function openPostgres(databaseUrl: string): LedgerDatabase {
  // A broken connection is told by the query that meets it.
  const pool = openPool(databaseUrl, { connections: CONNECTIONS, onLost: () => undefined });
  return new Kysely<LedgerTables>({ dialect: new PostgresDialect({ pool }) });
}

/**
 * Opens a ledger that is there to read it: nothing is migrated, and no row can be written.
 * @throws Error with one sentence when there is no ledger, or one that another release of oneround wrote
 */
export async function readDatabase(dataDir: string): Promise<LedgerDatabase> {
  const path = join(dataDir, 'ledger.sqlite');
  if (!existsSync(path)) throw new Error(`${dataDir} is no data directory of oneround: there is no ${path}`);
  const sqlite = new SqliteDatabase(path, { readonly: true });
  const database = new Kysely<LedgerTables>({ dialect: new SqliteDialect({ database: sqlite }) });
  const applied = sqlite.prepare('select name from kysely_migration order by name').pluck().all();
  const known = Object.keys(await ledgerMigrations.getMigrations());
  if (applied.join() !== known.join()) {
    await database.destroy();
    throw new Error(
      `The ledger in ${dataDir} was written by another release of oneround; start this release's server on it once, or use that release.`,
    );
  }
  return database;
}

/** Takes over folding: every process that opens the ledger fences out those before it. Returns this one's epoch. */
export async function nextFoldEpoch(database: LedgerDatabase): Promise<number> {
  const { epoch } = await database
    .updateTable('fold_lease')
    .set({ epoch: sql<number>`epoch + 1` })
    .where('id', '=', 1)
    .returning('epoch')
    .executeTakeFirstOrThrow();
  return epoch;
}
