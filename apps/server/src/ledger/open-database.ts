/**
 * The database behind the ledger: an SQLite file (write-ahead log), or a Postgres that several servers share. In both, a
 * commit is on the disk before it is acknowledged.
 */
import SqliteDatabase from 'better-sqlite3';
import { Kysely, Migrator, PostgresDialect, sql, SqliteDialect } from 'kysely';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ledgerMigrations } from './migrations.ts';
import { keepingStatements } from './prepared-statements.ts';
import { nameOfDatabase, openPool, requireAnswer } from './postgres.ts';
import type { LedgerTables } from './schema.ts';

export type LedgerDatabase = Kysely<LedgerTables>;

/** The ledger's calls follow one another; besides them there is only the fold lease, which is kept up meanwhile. */
const CONNECTIONS = 4;
/** Of the file, in this process; the system caches it too. A quarter of SQLite's own default, of which this build takes eight. */
const CACHED_KIB = 512;

/**
 * Opens the Postgres at `databaseUrl`, or `<dataDir>/ledger.sqlite` when there is none, creating and migrating what is in it
 * as needed.
 * @throws Error with one sentence when there is something else, a ledger of a newer release, or no Postgres that answers;
 *   the first migration's error
 */
export async function openDatabase(dataDir: string, databaseUrl?: string): Promise<LedgerDatabase> {
  if (databaseUrl === undefined) return openSqlite(dataDir);
  if (existsSync(pathOf(dataDir))) {
    throw new Error(
      `${dataDir} holds a ledger of its own, whose files would be dropped: this one is in Postgres. Name another --data directory for its copies.`,
    );
  }
  return openPostgres(databaseUrl, migrate);
}

function openSqlite(dataDir: string): Promise<LedgerDatabase> {
  const path = pathOf(dataDir);
  return sayingDamage(path, async () => {
    const sqlite = new SqliteDatabase(path);
    const database = new Kysely<LedgerTables>({ dialect: new SqliteDialect({ database: keepingStatements(sqlite) }) });
    return orDestroyed(database, async () => {
      sqlite.pragma('journal_mode = WAL');
      sqlite.pragma('synchronous = FULL');
      sqlite.pragma('foreign_keys = ON');
      sqlite.pragma(`cache_size = -${CACHED_KIB}`);
      await migrate(database, dataDir);
    });
  });
}

async function openPostgres(
  databaseUrl: string,
  prepare: (database: LedgerDatabase, place: string) => Promise<void>,
): Promise<LedgerDatabase> {
  // A broken connection is told by the query that meets it.
  const pool = openPool(databaseUrl, { connections: CONNECTIONS, onLost: () => undefined });
  const database = new Kysely<LedgerTables>({ dialect: new PostgresDialect({ pool }) });
  return orDestroyed(database, async () => {
    await requireAnswer(pool, databaseUrl);
    await prepare(database, nameOfDatabase(databaseUrl));
  });
}

async function migrate(database: LedgerDatabase, place: string): Promise<void> {
  const applied = await appliedMigrations(database);
  if (isNewer(applied ?? [], await knownMigrations())) throw ofAnotherRelease(place, 'a newer');
  const { error } = await new Migrator({ db: database, provider: ledgerMigrations }).migrateToLatest();
  if (error !== undefined) throw error;
}

/**
 * Opens a ledger that is there to read it: nothing is migrated, and no row can be written.
 * @throws Error with one sentence when there is no ledger, a damaged one, or one that another release of oneround wrote
 */
export function readDatabase(dataDir: string): Promise<LedgerDatabase> {
  return openPresentSqlite(dataDir, { readonly: true });
}

/** As `readDatabase`, of a ledger that lies in Postgres. */
export async function readSharedDatabase(databaseUrl: string): Promise<LedgerDatabase> {
  const pool = openPool(databaseUrl, { connections: 2, readOnly: true, onLost: () => undefined });
  const database = new Kysely<LedgerTables>({ dialect: new PostgresDialect({ pool }) });
  return orDestroyed(database, async () => {
    await requireAnswer(pool, databaseUrl);
    await requireThisRelease(database, nameOfDatabase(databaseUrl));
  });
}

/**
 * Opens a ledger that is there to write rows that any server of this release may find: nothing is created or migrated under
 * the servers that run on it.
 * @throws Error as `readDatabase`
 */
export function openPresentDatabase(dataDir: string, databaseUrl?: string): Promise<LedgerDatabase> {
  return databaseUrl === undefined
    ? openPresentSqlite(dataDir, { readonly: false })
    : openPostgres(databaseUrl, requireThisRelease);
}

function openPresentSqlite(dataDir: string, { readonly }: { readonly: boolean }): Promise<LedgerDatabase> {
  const path = pathOf(dataDir);
  return sayingDamage(path, async () => {
    if (!existsSync(path)) {
      throw new Error(`${dataDir} is no data directory of oneround: there is no ${path}; start the server on it first`);
    }
    const sqlite = new SqliteDatabase(path, { readonly, fileMustExist: true });
    const database = new Kysely<LedgerTables>({ dialect: new SqliteDialect({ database: keepingStatements(sqlite) }) });
    return orDestroyed(database, async () => {
      sqlite.pragma('synchronous = FULL');
      await requireThisRelease(database, dataDir);
    });
  });
}

async function requireThisRelease(database: LedgerDatabase, place: string): Promise<void> {
  const [applied, known] = [await appliedMigrations(database), await knownMigrations()];
  if (applied === null) throw new Error(`There is no ledger of oneround in ${place}; start the server on it first.`);
  if (applied.join() === known.join()) return;
  throw ofAnotherRelease(place, isNewer(applied, known) ? 'a newer' : 'an earlier');
}

/** In order; null when there is no ledger. */
async function appliedMigrations(database: LedgerDatabase): Promise<string[] | null> {
  const tables = await database.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === 'kysely_migration')) return null;
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(database);
  return rows.map(({ name }) => name);
}

async function knownMigrations(): Promise<string[]> {
  return Object.keys(await ledgerMigrations.getMigrations());
}

function isNewer(applied: readonly string[], known: readonly string[]): boolean {
  return applied.some((name) => !known.includes(name));
}

function ofAnotherRelease(place: string, which: 'a newer' | 'an earlier'): Error {
  const what = which === 'a newer' ? 'use that release' : "start this release's server on it once, or use that release";
  return new Error(`The ledger in ${place} was written by ${which} release of oneround; ${what}.`);
}

function pathOf(dataDir: string): string {
  return join(dataDir, 'ledger.sqlite');
}

/** `database` when `prepare` went well. */
async function orDestroyed(database: LedgerDatabase, prepare: () => Promise<void>): Promise<LedgerDatabase> {
  try {
    await prepare();
    return database;
  } catch (error) {
    await database.destroy();
    throw error;
  }
}

/** Says which file it is that SQLite cannot read. */
async function sayingDamage<Result>(path: string, open: () => Promise<Result>): Promise<Result> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof SqliteDatabase.SqliteError) || !/^SQLITE_(NOTADB|CORRUPT)/.test(error.code)) throw error;
    throw new Error(
      `${path} is no SQLite database, or a damaged one (${error.message}). Put it back from a backup, or name another --data directory.`,
      { cause: error },
    );
  }
}
