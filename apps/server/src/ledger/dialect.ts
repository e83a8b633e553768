/** What SQLite and Postgres say differently, in one place. Everything else is Kysely's. */
import { PostgresAdapter, sql, type Kysely, type RawBuilder } from 'kysely';
import type { LedgerTables } from './schema.ts';

/** Any handle on the ledger's database, a transaction's included. */
type Handle = Kysely<LedgerTables>;

/** True for the database that several servers may share. */
export function isPostgres(db: Handle): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter;
}

/** Column types for whole numbers up to 2^53 and for doubles: what `integer` and `real` are in SQLite alone. */
export function columnTypes(db: Handle) {
  return isPostgres(db)
    ? { text: 'text' as const, integer: 'bigint' as const, real: 'double precision' as const }
    : { text: 'text' as const, integer: 'integer' as const, real: 'real' as const };
}

/** Epoch milliseconds on the clock of whoever decides: the shared database, or else this process, whose clock is `now`. */
export function currentTime(db: Handle, now: () => number): RawBuilder<number> {
  return isPostgres(db)
    ? sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`
    : sql<number>`cast(${now()} as integer)`;
}

/** A trigger that refuses to change a row. */
export interface Guard {
  name: string;
  table: string;
  /** What is refused. */
  on: 'delete' | 'update';
  /** Refused only when this holds; it sees `old`, and on an update `new`. */
  when?: RawBuilder<unknown>;
  message: string;
}

/** Creates the trigger; on Postgres whoever guards against deletion guards against `truncate` too. */
export async function createGuard(db: Handle, { name, table, on, when, message }: Guard): Promise<void> {
  const [trigger, target, condition] = [sql.ref(name), sql.table(table), when ? sql`when (${when})` : sql``];
  const event = sql.raw(on);
  if (!isPostgres(db)) {
    await sql`create trigger ${trigger} before ${event} on ${target} ${condition}
      begin select raise(abort, ${sql.lit(message)}); end`.execute(db);
    return;
  }
  await sql`create or replace function oneround_refuse() returns trigger language plpgsql
    as $$ begin raise exception using message = tg_argv[0]; end $$`.execute(db);
  await sql`create trigger ${trigger} before ${event} on ${target} for each row ${condition}
    execute function oneround_refuse(${sql.lit(message)})`.execute(db);
  if (on === 'update') return;
  await sql`create trigger ${sql.ref(`${name}_all`)} before truncate on ${target}
    execute function oneround_refuse(${sql.lit(message)})`.execute(db);
}

/** Drops a trigger that `createGuard` made against updates. */
export async function dropGuard(db: Handle, { name, table }: Pick<Guard, 'name' | 'table'>): Promise<void> {
  await (
    isPostgres(db) ? sql`drop trigger ${sql.ref(name)} on ${sql.table(table)}` : sql`drop trigger ${sql.ref(name)}`
  ).execute(db);
}

/** True when any of the columns differs between `old` and `new`, nulls being values like others. */
export function changed(columns: readonly string[]): RawBuilder<unknown> {
  return sql.join(
    columns.map((column) => sql`${sql.ref(`new.${column}`)} is distinct from ${sql.ref(`old.${column}`)}`),
    sql` or `,
  );
}
