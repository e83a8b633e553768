/**
 * Who folds: one server at a time, by a row that says until when. It is kept up while the server lives and taken over once
 * it has lapsed, on the database's clock. A server that was stopped, and wakes up believing that it still leads, is held
 * back by the epoch: each taking raises it, and a fold of an older epoch is rolled back.
 *
 * An advisory lock would be simpler, and a server that hangs would keep it for as long as it hangs.
 */
import { sql } from 'kysely';
import { isPostgres, readClock } from './dialect.ts';
import type { LedgerDatabase } from './open-database.ts';

/** How long a leader may be silent. */
export const FOLD_LEASE_MS = 3000;
/** Between two looks at the lease. */
const LEAST_PAUSE_MS = 250;

/** Another server leads; the transaction that noticed is rolled back. */
export class LeaseTaken extends Error {
  constructor() {
    super('another server folds this ledger now; what was folded here is rolled back');
    this.name = 'LeaseTaken';
  }
}

export class FoldLease {
  readonly #db: LedgerDatabase;
  readonly #now: () => number;
  readonly #ttlMs: number;
  #epoch: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #tending: Promise<void> | null = null;

  private constructor(db: LedgerDatabase, now: () => number, ttlMs: number) {
    this.#db = db;
    this.#now = now;
    this.#ttlMs = ttlMs;
  }

  /**
   * On SQLite the lease is taken at once and for good: the data directory's lock says that there is nobody else. On
   * Postgres it is asked for again and again, until `close`.
   */
  static async open(db: LedgerDatabase, now: () => number, ttlMs = FOLD_LEASE_MS): Promise<FoldLease> {
    const lease = new FoldLease(db, now, ttlMs);
    if (!isPostgres(db)) {
      await lease.take();
      return lease;
    }
    await lease.#tend();
    const tend = () => {
      // Without the database it lapses, as it should; whoever needs the database says so.
      lease.#tending ??= lease
        .#tend()
        .catch(() => void (lease.#epoch = null))
        .finally(() => (lease.#tending = null));
    };
    // In the middle of the ledger's calls too: a long fold must not cost its lease.
    lease.#timer = setInterval(tend, Math.max(ttlMs / 6, LEAST_PAUSE_MS));
    return lease;
  }

  /** True while this server leads, as far as it knows. */
  get isHeld(): boolean {
    return this.#epoch !== null;
  }

  /** Leads from now on, whoever did before: for what the organiser wants done here and now. */
  async take(): Promise<void> {
    await this.#raise(await readClock(this.#db, this.#now));
  }

  /**
   * Called in a transaction that only the leader may commit; nobody takes the lease over until it has ended.
   * @throws LeaseTaken when another server has taken it over
   */
  async check(transaction: LedgerDatabase): Promise<void> {
    const query = transaction.selectFrom('fold_lease').select('epoch').where('id', '=', 1);
    const row = await (isPostgres(transaction) ? query.forShare() : query).executeTakeFirst();
    if (row?.epoch === this.#epoch) return;
    this.#epoch = null;
    throw new LeaseTaken();
  }

  /** Lets another server lead at once. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    // It would be kept up once more.
    await this.#tending;
    if (this.#epoch === null || !isPostgres(this.#db)) return;
    await this.#db
      .updateTable('fold_lease')
      .set({ expires_at: 0 })
      .where('id', '=', 1)
      .where('epoch', '=', this.#epoch)
      .execute();
    this.#epoch = null;
  }

  async #tend(): Promise<void> {
    const now = await readClock(this.#db, this.#now);
    if (this.#epoch !== null && this.#ttlMs > 0) {
      const { numUpdatedRows } = await this.#db
        .updateTable('fold_lease')
        .set({ expires_at: now + this.#ttlMs })
        .where('id', '=', 1)
        .where('epoch', '=', this.#epoch)
        .executeTakeFirst();
      if (numUpdatedRows === 1n) return;
      this.#epoch = null;
    }
    await this.#raise(now, now);
  }

  /** Takes the lease in a new epoch; with `lapsedBy`, only one that nobody has kept up until then. */
  async #raise(now: number, lapsedBy = Number.MAX_SAFE_INTEGER): Promise<void> {
    const taken = await this.#db
      .updateTable('fold_lease')
      .set({ epoch: sql<number>`epoch + 1`, expires_at: now + this.#ttlMs })
      .where('id', '=', 1)
      .where('expires_at', '<=', lapsedBy)
      .returning('epoch')
      .executeTakeFirst();
    this.#epoch = taken?.epoch ?? null;
  }
}

/** For what only the leader does, and another server does now. */
export function nullWhenTaken(error: unknown): null {
  if (error instanceof LeaseTaken) return null;
  throw error;
}
