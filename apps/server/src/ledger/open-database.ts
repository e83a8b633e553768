/**
 * The database behind the ledger: an SQLite file (write-ahead log), or a Postgres that several servers share. In both, a
 * commit is on the disk before it is acknowledged.
 */
import SqliteDatabase from 'better-sqlite3';
import { Kysely, Migrator, PostgresDialect, sql, SqliteDialect } from 'kysely';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ledgerMigrations } from './migrations.ts';
import { nameOfDatabase, openPool } from './postgres.ts';
import type { LedgerTables } from './schema.ts';

export type LedgerDatabase = Kysely<LedgerTables>;

/** The ledger's calls follow one another; besides them there is only the fold lease, which is kept up meanwhile. */
const CONNECTIONS = 4;

/**
 * Opens the Postgres at `databaseUrl`, or `<dataDir>/ledger.sqlite` when there is none, creating and migrating what is in it
 * as needed.
 * @throws the first migration's error; Error with one sentence when `dataDir` holds a ledger beside that in Postgres
 */
export async function openDatabase(dataDir: string, databaseUrl?: string): Promise<LedgerDatabase> {
  const database = databaseUrl === undefined ? openSqlite(dataDir) : openPostgres(dataDir, databaseUrl);
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

function openPostgres(dataDir: string, databaseUrl: string): LedgerDatabase {
  if (existsSync(join(dataDir, 'ledger.sqlite'))) {
    throw new Error(
      `${dataDir} holds a ledger of its own, whose files would be dropped: this one is in Postgres. Name another --data directory for its copies.`,
    );
  }
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
  await requireThisRelease(database, dataDir);
  return database;
}

/** As `readDatabase`, of a ledger that lies in Postgres. */
export async function readSharedDatabase(databaseUrl: string): Promise<LedgerDatabase> {
  const pool = openPool(databaseUrl, { connections: 2, readOnly: true, onLost: () => undefined });
  const database = new Kysely<LedgerTables>({ dialect: new PostgresDialect({ pool }) });
  await requireThisRelease(database, nameOfDatabase(databaseUrl));
  return database;
}

async function requireThisRelease(database: LedgerDatabase, place: string): Promise<void> {
  const tables = await database.introspection.getTables({ withInternalKyselyTables: true });
  const isLedger = tables.some(({ name }) => name === 'kysely_migration');
  const applied = isLedger
    ? (await sql<{ name: string }>`select name from kysely_migration order by name`.execute(database)).rows
    : [];
  const known = Object.keys(await ledgerMigrations.getMigrations());
  if (applied.map(({ name }) => name).join() === known.join()) return;
  await database.destroy();
  throw new Error(
    isLedger
      ? `The ledger in ${place} was written by another release of oneround; start this release's server on it once, or use that release.`
      : `There is no ledger of oneround in ${place}.`,
  );
}
