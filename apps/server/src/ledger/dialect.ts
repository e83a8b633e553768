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

/**
 * Epoch milliseconds on the clock of whoever decides: the shared database, or else this process, whose clock is `now`.
 * Deadlines that several servers read are written and compared by it alone.
 */
export async function readClock(db: Handle, now: () => number): Promise<number> {
  if (!isPostgres(db)) return now();
  const { rows } = await sql<{ now: number }>`
    select cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as now`.execute(db);
  return rows[0]!.now;
}

/**
 * From here to the end of the transaction no other server changes the campaign's leases or chain. SQLite has one server,
 * and its transactions follow one another.
 */
export async function lockCampaign(transaction: Handle, campaignId: string): Promise<void> {
  if (!isPostgres(transaction)) return;
  await transaction.selectFrom('campaigns').select('id').where('id', '=', campaignId).forUpdate().execute();
}

/** The text under a key of the object that a column holds as JSON text; null where there is none. */
export function textInJson(db: Handle, column: string, key: string): RawBuilder<string> {
  const object = isPostgres(db) ? sql`cast(${sql.ref(column)} as json)` : sql.ref(column);
  return sql`(${object} ->> ${sql.lit(key)})`;
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

/**
 * Creates the trigger; on Postgres whoever guards against deletion guards against `truncate` too. The condition stands in
 * a function of its own there, because Postgres allows no subquery in a trigger's `when`.
 */
export async function createGuard(db: Handle, { name, table, on, when, message }: Guard): Promise<void> {
  const [trigger, target, event] = [sql.ref(name), sql.table(table), sql.raw(on)];
  if (!isPostgres(db)) {
    await sql`create trigger ${trigger} before ${event} on ${target} ${when ? sql`when (${when})` : sql``}
      begin select raise(abort, ${sql.lit(message)}); end`.execute(db);
    return;
  }
  const refusal = sql`raise exception using message = ${sql.lit(message)};`;
  await sql`create or replace function ${trigger}() returns trigger language plpgsql as $$ begin
    ${when ? sql`if ${when} then ${refusal} end if;` : refusal}
    return ${sql.ref(on === 'delete' ? 'old' : 'new')}; end $$`.execute(db);
  await sql`create trigger ${trigger} before ${event} on ${target} for each row execute function ${trigger}()`.execute(
    db,
  );
  if (on === 'update') return;
  const all = sql.ref(`${name}_all`);
  await sql`create or replace function ${all}() returns trigger language plpgsql as $$ begin ${refusal} end $$`.execute(
    db,
  );
  await sql`create trigger ${all} before truncate on ${target} execute function ${all}()`.execute(db);
}

/** Drops a trigger that `createGuard` made against updates. */
export async function dropGuard(db: Handle, name: string): Promise<void> {
  // A function of Postgres takes the trigger that calls it along.
  await (isPostgres(db) ? sql`drop function ${sql.ref(name)}() cascade` : sql`drop trigger ${sql.ref(name)}`).execute(
    db,
  );
}

/** True when any of the columns differs between `old` and `new`, nulls being values like others. */
export function changed(columns: readonly string[]): RawBuilder<unknown> {
  return sql.join(
    columns.map((column) => sql`${sql.ref(`new.${column}`)} is distinct from ${sql.ref(`old.${column}`)}`),
    sql` or `,
  );
}
