/** Keeps what SQLite has compiled: Kysely has every statement compiled anew and leaves its memory to the garbage collector. */
import type SqliteDatabase from 'better-sqlite3';
import type { SqliteDatabase as KyselySqlite } from 'kysely';

/** More than the ledger has. */
const KEPT = 256;
/** Characters. A list of values makes a statement longer, and each length is one of its own, which takes room by its length. */
const LONGEST = 2000;

/** `sqlite` as Kysely asks for it; the `kept` statements that were used last are not compiled again, but for very long ones. */
export function keepingStatements(sqlite: SqliteDatabase.Database, kept = KEPT): KyselySqlite {
  // In the order of use, the one used longest ago first.
  const statements = new Map<string, SqliteDatabase.Statement>();
  return {
    prepare(text) {
      const statement = statements.get(text) ?? sqlite.prepare(text);
      if (text.length > LONGEST) return statement;
      statements.delete(text);
      statements.set(text, statement);
      if (statements.size > kept) statements.delete(statements.keys().next().value!);
      return statement;
    },
    close: () => void sqlite.close(),
  };
}
