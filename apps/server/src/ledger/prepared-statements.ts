/** Keeps what SQLite has compiled: Kysely has every statement compiled anew and leaves its memory to the garbage collector. */
import type SqliteDatabase from 'better-sqlite3';
import type { SqliteDatabase as KyselySqlite } from 'kysely';

/** More than the ledger's statements; lists of values make some of them longer, each length a text of its own. */
const KEPT = 256;

/** `sqlite` as Kysely asks for it; the `kept` statements that were used last are not compiled again. */
export function keepingStatements(sqlite: SqliteDatabase.Database, kept = KEPT): KyselySqlite {
  // In the order of use, the one used longest ago first.
  const statements = new Map<string, SqliteDatabase.Statement>();
  return {
    prepare(text) {
      const statement = statements.get(text) ?? sqlite.prepare(text);
      statements.delete(text);
      statements.set(text, statement);
      if (statements.size > kept) statements.delete(statements.keys().next().value!);
      return statement;
    },
    close: () => void sqlite.close(),
  };
}
