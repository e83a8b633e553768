/** What SQLite and Postgres must both do, said in each one's way. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { createGuard, readClock } from './dialect.ts';
import { openDatabase, type LedgerDatabase } from './open-database.ts';
import { nameOfDatabase, openPool } from './postgres.ts';

let postgres: TestPostgres;
let folder: string;
beforeAll(async () => {
  postgres = await startPostgres();
  folder = mkdtempSync(join(tmpdir(), 'oneround-dialect-'));
});
afterAll(async () => {
  await postgres.remove();
  rmSync(folder, { recursive: true, force: true });
});

const databases: [string, () => Promise<LedgerDatabase>][] = [
  ['SQLite', () => openDatabase(folder)],
  ['Postgres', async () => openDatabase('', await postgres.createDatabase())],
];

describe.each(databases)('%s', (name, open) => {
  it('guards rows against change and deletion, by a condition that may ask other tables', async () => {
    const db = await open();
    try {
      const entry = { campaign_id: 'a', kind: 'joined', message: 'first' };
      await db
        .insertInto('log')
        .values({ ...entry, at: 1 })
        .execute();
      await db
        .insertInto('log')
        .values({ ...entry, at: 2 })
        .execute();
      const guard = { table: 'log', message: 'the log stays' };
      const first = sql`exists (select 1 from log where at = old.at and at < 2)`;
      await createGuard(db, { ...guard, name: 'log_stays', on: 'delete', when: first });
      const later = sql`new.message is distinct from old.message`;
      await createGuard(db, { ...guard, name: 'log_unchanged', on: 'update', when: later });
      await expect(db.deleteFrom('log').where('at', '=', 1).execute()).rejects.toThrow('the log stays');
      await expect(db.updateTable('log').set({ message: 'other' }).execute()).rejects.toThrow('the log stays');
      await db.updateTable('log').set({ kind: 'left', message: 'first' }).execute();
      await db.deleteFrom('log').where('at', '=', 2).execute();
      expect(await db.selectFrom('log').select(['at', 'kind']).execute()).toEqual([{ at: 1, kind: 'left' }]);
      if (name === 'Postgres') await expect(sql`truncate log`.execute(db)).rejects.toThrow('the log stays');
    } finally {
      await db.destroy();
    }
  });

  it('gives times, sums and doubles back as the numbers they were', async () => {
    const db = await open();
    try {
      const now = await readClock(db, Date.now);
      expect(Math.abs(now - Date.now())).toBeLessThan(5000);
      const row = { campaign_id: 'b', version: 1, sha256: '', export_sha256: '', sum_sha256: '', created_at: now };
      await db
        .insertInto('versions')
        .values({ ...row, weight: 0.1 + 0.2, scale: 1.5, label_tokens: 2 ** 40 + 1 })
        .execute();
      const { created_at, weight, scale, label_tokens } = await db
        .selectFrom('versions')
        .selectAll()
        .executeTakeFirstOrThrow();
      expect([created_at, weight, scale, label_tokens]).toEqual([now, 0.1 + 0.2, 1.5, 2 ** 40 + 1]);
    } finally {
      await db.destroy();
    }
  });
});

it('never repeats a password', async () => {
  const secret = 'hunter2';
  expect(nameOfDatabase(`postgresql://me:${secret}@db.example:5432/ledger`)).toBe('db.example:5432/ledger');
  for (const url of [`postgresql://me:${secret}@:bad:/ledger`, `mysql://me:${secret}@localhost/ledger`]) {
    const error: unknown = await openDatabase('', url).catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/database URL must look like/);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(secret);
  }
  const pool = openPool(`postgresql://me:${secret}@127.0.0.1:1/ledger`, { connections: 1, onLost: () => undefined });
  const error: unknown = await pool.connect().catch((thrown: unknown) => thrown);
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(secret);
  await pool.end();
});
