/** Connections to a Postgres that several servers share. */
import pg from 'pg';

const INT8 = pg.types.builtins.INT8;
/** A server that stops in the middle of a transaction keeps its locks no longer than this. */
const IDLE_IN_TRANSACTION_MS = 2000;
const CONNECT_MS = 5000;

export interface PoolOptions {
  connections: number;
  /** For somebody who reads one state of the database for as long as it takes, and changes nothing. */
  readOnly?: boolean;
  /**
   * Told when a connection breaks; the next query takes another. Without a listener of its own every one of them would end
   * the process, those that a library has checked out included.
   */
  onLost: (error: Error) => void;
}

/**
 * A pool of connections. Sizes, counts and times are JavaScript numbers, as in SQLite.
 * @throws Error that does not repeat the address: it may hold a password
 */
export function openPool(databaseUrl: string, options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: checkedUrl(databaseUrl),
    max: options.connections,
    connectionTimeoutMillis: CONNECT_MS,
    ...(options.readOnly
      ? { options: '-c default_transaction_read_only=on' }
      : { idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS }),
    keepAlive: true,
    application_name: 'oneround',
    types: {
      getTypeParser: ((oid: number, format?: 'text') =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  });
  pool.on('connect', (client) => client.on('error', options.onLost));
  pool.on('error', options.onLost);
  return pool;
}

/** @throws Error with one sentence when nobody answers, or only to say no */
export async function requireAnswer(pool: pg.Pool, databaseUrl: string): Promise<void> {
  try {
    await pool.query('select 1');
  } catch (error) {
    throw new Error(`The Postgres ${nameOfDatabase(databaseUrl)} cannot be used: ${wordsOf(error)}.`, { cause: error });
  }
}

/** A host with several addresses has several errors, and none of its own. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(wordsOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}

/** What may be said of a database in a log: where it is, not how one gets in. */
export function nameOfDatabase(databaseUrl: string): string {
  const { host, pathname, searchParams } = new URL(checkedUrl(databaseUrl));
  return `${searchParams.get('host') ?? host}${pathname}`;
}

function checkedUrl(databaseUrl: string): string {
  if (/^postgres(ql)?:\/\//.test(databaseUrl) && URL.canParse(databaseUrl)) return databaseUrl;
  throw new Error('The database URL must look like postgresql://user:password@host:5432/database.');
}
