/** A server on something that is no ledger, or none of its own: it ends with one sentence that says what to do. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServerProcess } from '../testing/server-process.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { serveTestCampaign } from '../testing/test-server.ts';
import { makeAdminToken } from './admin-token.ts';
import { openDatabase, readDatabase } from './open-database.ts';

let campaign: TestCampaign;
let path: string;

beforeEach(() => {
  campaign = makeTestCampaign();
  path = join(campaign.dataDir, 'ledger.sqlite');
  mkdirSync(campaign.dataDir);
});
afterEach(() => campaign.remove());

const serve = (databaseUrl?: string) => serveTestCampaign(campaign, { databaseUrl });

function change(statement: string): void {
  const sqlite = new SqliteDatabase(path);
  sqlite.exec(statement);
  sqlite.close();
}

describe('a ledger.sqlite', () => {
  it('that is no database is named, to a server and to whoever reads it', async () => {
    writeFileSync(path, 'x'.repeat(8192));
    const sentence = `${path} is no SQLite database, or a damaged one (file is not a database). Put it back from a backup, or name another --data directory.`;
    await expect(serve()).rejects.toThrow(sentence);
    await expect(readDatabase(campaign.dataDir)).rejects.toThrow(sentence);
  });

  it("with a fault that only SQLite knows is refused in SQLite's words", async () => {
    await (await openDatabase(campaign.dataDir)).destroy();
    change('drop table campaigns');
    await expect(serve()).rejects.toThrow('no such table: campaigns');
  });

  it('of a newer release is refused, and left as it is', async () => {
    await (await openDatabase(campaign.dataDir)).destroy();
    change(`insert into kysely_migration (name, timestamp) values ('999-later', '2100-01-01')`);
    const sentence = `The ledger in ${campaign.dataDir} was written by a newer release of oneround; use that release.`;
    await expect(serve()).rejects.toThrow(sentence);
    await expect(openDatabase(campaign.dataDir)).rejects.toThrow(sentence);
    await expect(readDatabase(campaign.dataDir)).rejects.toThrow(sentence);
  });

  it('that is not there is not created for an admin token, nor one of an earlier release migrated', async () => {
    const { dataDir } = campaign;
    await expect(makeAdminToken(dataDir)).rejects.toThrow(`there is no ${path}; start the server on it first`);
    expect(readdirSync(dataDir)).toEqual([]);
    await (await openDatabase(dataDir)).destroy();
    expect(await makeAdminToken(dataDir)).toMatch(/^\S{20,}$/);
    change('delete from kysely_migration where name = (select max(name) from kysely_migration)');
    await expect(makeAdminToken(dataDir)).rejects.toThrow(`${dataDir} was written by an earlier release of oneround`);
  });

  it('beside a ledger in Postgres is not taken for its copies', async () => {
    await (await openDatabase(campaign.dataDir)).destroy();
    await expect(openDatabase(campaign.dataDir, 'postgresql://localhost/ledger')).rejects.toThrow(
      `${campaign.dataDir} holds a ledger of its own`,
    );
  });

  it('is opened so that a commit waits for the disk', async () => {
    const db = await openDatabase(campaign.dataDir);
    const [{ journal_mode } = {}] = (await sql<{ journal_mode: string }>`pragma journal_mode`.execute(db)).rows;
    const [{ synchronous } = {}] = (await sql<{ synchronous: number }>`pragma synchronous`.execute(db)).rows;
    // FULL: at each commit, not at each checkpoint alone.
    expect({ journal_mode, synchronous }).toEqual({ journal_mode: 'wal', synchronous: 2 });
    await db.destroy();
  });
});

it('a Postgres that does not answer ends a server with one sentence, which repeats no password', async () => {
  const server = await ServerProcess.prepare({
    campaignFile: campaign.file,
    dataDir: campaign.dataDir,
    server: { databaseUrl: 'postgresql://me:secret@127.0.0.1:1/ledger', logLevel: 'warn' },
  });
  server.start();
  await vi.waitUntil(() => !server.isRunning && server.output.includes('Node.js v'), { timeout: 60_000, interval: 50 });
  expect(server.output).toContain(
    'Error: The Postgres 127.0.0.1:1/ledger cannot be used: connect ECONNREFUSED 127.0.0.1:1.\n',
  );
  expect(server.output).not.toContain('"level"');
  expect(server.output).not.toContain('secret');
});
