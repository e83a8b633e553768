/** Each thing that `oneround verify` checks, tampered with: it must be named, with what was recorded and what was found. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { decodeDelta, ExactFold, generateClientKeys, signContribution, type Manifest } from '@oneround/fl-core';
import SqliteDatabase from 'better-sqlite3';
import { Kysely, Migrator, SqliteDialect } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { campaignDefinitionSchema } from '../campaign/index.ts';
import { collect } from '../testing/collect.ts';
import { rechain, selectRows, tamperWith, writeTo } from '../testing/ledger-file.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { seededDelta, TestClient } from '../testing/test-client.ts';
import { serveTestCampaign } from '../testing/test-server.ts';
import { ledgerMigrations } from './migrations.ts';
import { openDatabase } from './open-database.ts';
import type { ContributionTable, LedgerTables } from './schema.ts';
import { verifyDataDir, type VerifiedCampaign } from './verify.ts';

const program = resolve(import.meta.dirname, '../../bin/oneround.mjs');
let campaign: TestCampaign;
let dataDir: string;
/** What was found while the server still ran: its last rows are in the write-ahead log alone. */
let whileServed: VerifiedCampaign[];

const serve = () => serveTestCampaign(campaign);

/** A stopped server's data directory with three contributions in three versions. */
beforeAll(async () => {
  campaign = makeTestCampaign();
  const server = await serve();
  for (const seed of [1, 2, 3]) {
    const client = await TestClient.connect(server.url);
    await client.value('watch', { campaignId: 'test' });
    await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, seed));
    const folded = () => client.updates.some(({ versions }) => versions.some(({ version }) => version === seed));
    await vi.waitUntil(folded, { timeout: 10_000 });
    client.close();
  }
  whileServed = await verified(campaign.dataDir);
  await server.close();
}, 60_000);

afterAll(() => campaign.remove());

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'oneround-verify-'));
  cpSync(campaign.dataDir, dataDir, { recursive: true });
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const verified = (directory: string) => collect(verifyDataDir(directory));

const tamper = (statement: string) => tamperWith(dataDir, statement);

const rows = () => selectRows<ContributionTable>(dataDir, 'select * from contributions order by sequence');

function manifestOf(): Manifest {
  const [row] = selectRows<{ definition: string }>(dataDir, 'select definition from campaigns');
  return campaignDefinitionSchema.parse(JSON.parse(row!.definition)).manifest;
}

/** The exact sum of these contributions, as its blob holds it. */
function sumOf(contributions: readonly ContributionTable[]): Uint8Array {
  const manifest = manifestOf();
  const { size } = manifest.layout;
  const fold = new ExactFold(size);
  for (const { sha256, label_tokens } of contributions) {
    const delta = decodeDelta(readFileSync(join(dataDir, 'blobs', sha256)), { size, codec: manifest.upload.codec });
    fold.add(delta, label_tokens * manifest.weightScale);
  }
  return new Uint8Array(fold.sum.buffer);
}

function flipByte(sha256: string): string {
  const path = join(dataDir, 'blobs', sha256);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(path, bytes);
  return path;
}

const run = (...args: string[]) => promisify(execFile)(process.execPath, [program, 'verify', ...args]);

describe('verify', () => {
  it('tells how far it is, row by row and version by version', async () => {
    const told: unknown[] = [];
    for await (const { campaignId } of verifyDataDir(dataDir, undefined, (...step) => told.push(step))) {
      expect(campaignId).toBe('test');
    }
    // Three contributions and four versions.
    expect(told).toEqual([1, 2, 3, 4, 5, 6, 7].map((done) => ['test', done, 7]));
  });

  it('finds a ledger as recorded, while a server has it open and after, and writes to no file', async () => {
    const blobs = readdirSync(join(dataDir, 'blobs'));
    const ledger = readFileSync(join(dataDir, 'ledger.sqlite'));
    expect(whileServed).toMatchObject([{ contributions: 3, pending: 0, versions: 4 }]);
    const [report] = await verified(dataDir);
    expect(report!.head).toBe(whileServed[0]!.head);
    expect(report).toMatchObject({ campaignId: 'test', contributions: 3, pending: 0, versions: 4 });
    expect(report!.head).toBe(rows().at(-1)!.row_hash);
    expect(report!.withdrawn).toBe(0);
    expect(report!.blobs).toBe(blobs.length);
    expect(readdirSync(join(dataDir, 'blobs'))).toEqual(blobs);
    expect(readFileSync(join(dataDir, 'ledger.sqlite')).equals(ledger)).toBe(true);
  });

  it('names a contribution whose blob has another byte, and one whose blob is gone', async () => {
    const [, second] = rows();
    const path = flipByte(second!.sha256);
    await expect(verified(dataDir)).rejects.toThrow(
      new RegExp(
        `contribution #2 \\(${second!.contribution_id}\\): the SHA-256 of ${path} should be ${second!.sha256}`,
      ),
    );
    rmSync(path);
    await expect(verified(dataDir)).rejects.toThrow(`${path} is missing`);
  });

  it('names a row with another weight; with the chain rewritten, the signature', async () => {
    tamper('update contributions set label_tokens = label_tokens + 1 where sequence = 2');
    await expect(verified(dataDir)).rejects.toThrow(/contribution #2 .*: the hash of the row should be .* but is/);
    await rechain(dataDir);
    const { label_tokens, signature } = rows()[1]!;
    await expect(verified(dataDir)).rejects.toThrow(
      new RegExp(`contribution #2 .*: the signature ${signature} is not .* ${label_tokens} label tokens`),
    );
  });

  it('names a row with another signature, with the chain rewritten or not', async () => {
    const row = rows()[0]!;
    const signature = await signContribution(await generateClientKeys(), {
      campaignId: 'test',
      contributionId: row.contribution_id,
      leaseId: row.lease_id,
      sha256: row.sha256,
      layoutHash: manifestOf().layout.hash,
      labelTokens: row.label_tokens,
    });
    tamper(`update contributions set signature = '${signature}' where sequence = 1`);
    await expect(verified(dataDir)).rejects.toThrow(/contribution #1 .*: the hash of the row should be/);
    await rechain(dataDir);
    await expect(verified(dataDir)).rejects.toThrow(`the signature ${signature} is not that of its key`);
  });

  it('names the row after a dropped one; with rows renumbered, the chain; with the chain rewritten, the version', async () => {
    tamper('delete from contributions where sequence = 2');
    await expect(verified(dataDir)).rejects.toThrow(/contribution #3 .*: the sequence should be 2 but is 3/);
    tamper('update contributions set sequence = 2 where sequence = 3');
    await expect(verified(dataDir)).rejects.toThrow(/contribution #2 .*: the hash of the row before should be/);
    await rechain(dataDir);
    await expect(verified(dataDir)).rejects.toThrow(/version 2: the label tokens should be \d+ but is/);
  });

  it('notices a chain that was cut off, by its recorded end or the versions that held it', async () => {
    tamper('delete from contributions where sequence = 3');
    await expect(verified(dataDir)).rejects.toThrow(/campaign test: end of the chain: the hash of the row should be/);
    await rechain(dataDir);
    await expect(verified(dataDir)).rejects.toThrow(/version 3: the label tokens should be/);
    tamper('delete from versions where version = 3');
    expect(await verified(dataDir)).toMatchObject([{ contributions: 2, versions: 3, head: rows()[1]!.row_hash }]);
  });

  it('names a version whose row is missing', async () => {
    tamper('delete from versions where version = 3');
    await expect(verified(dataDir)).rejects.toThrow(/contribution #3 .*: is in version 3, which is not in the ledger/);
    tamper('delete from versions where version = 1');
    await expect(verified(dataDir)).rejects.toThrow(/version 2: the number should be 1 but is 2/);
  });

  it.each([
    ['sha256', 'SHA-256 of the adapter'],
    ['export_sha256', 'SHA-256 of the export'],
    ['sum_sha256', 'SHA-256 of the sum'],
  ])('names a version with another %s', async (column, what) => {
    const other = 'ab'.repeat(32);
    tamper(`update versions set ${column} = '${other}' where version = 2`);
    await expect(verified(dataDir)).rejects.toThrow(`campaign test: version 2: the ${what} should be ${other} but is`);
  });

  it('names a version with another weight', async () => {
    tamper('update versions set weight = weight + 1 where version = 3');
    await expect(verified(dataDir)).rejects.toThrow(/version 3: the weight should be \d+ but is \d+/);
  });

  it('names a campaign with another definition, and a model file with another byte', async () => {
    const [file] = selectRows<{ path: string; sha256: string }>(
      dataDir,
      "select * from files where path not like 'data/%'",
    );
    flipByte(file!.sha256);
    await expect(verified(dataDir)).rejects.toThrow(`campaign test: ${file!.path}: the SHA-256 of`);
    tamper(`update campaigns set definition = json_set(definition, '$.manifest.weightScale', 0.25)`);
    await expect(verified(dataDir)).rejects.toThrow('campaign test: the SHA-256 of the definition should be');
  });
});

describe('a ledger from before the chain', () => {
  /** The rows as they are, in the tables of the first release. */
  beforeEach(async () => {
    const path = join(dataDir, 'first.sqlite');
    const sqlite = new SqliteDatabase(path);
    const db = new Kysely<LedgerTables>({ dialect: new SqliteDialect({ database: sqlite }) });
    await new Migrator({ db, provider: ledgerMigrations }).migrateTo('001-ledger');
    sqlite.exec(`attach '${join(dataDir, 'ledger.sqlite')}' as newest`);
    sqlite.exec('drop trigger contributions_fold_once');
    for (const table of ['campaigns', 'files', 'contributions', 'versions', 'leases']) {
      const columns = sqlite.prepare(`select name from pragma_table_info('${table}', 'main')`).pluck().all().join();
      sqlite.exec(`insert into main.${table} (${columns}) select ${columns} from newest.${table}`);
    }
    sqlite.exec('create trigger contributions_fold_once before update on contributions begin select 1; end');
    await db.destroy();
    // The first releases kept the sum of every version.
    for (let version = 0; version <= 3; version++) {
      const bytes = sumOf(rows().slice(0, version));
      writeFileSync(join(dataDir, 'blobs', createHash('sha256').update(bytes).digest('hex')), bytes);
    }
    rmSync(join(dataDir, 'ledger.sqlite'));
    renameSync(path, join(dataDir, 'ledger.sqlite'));
  });

  it('is refused by verify until a server has chained it; then no column of a row can change', async () => {
    await expect(verified(dataDir)).rejects.toThrow(/was written by an earlier release of oneround/);
    await (await openDatabase(dataDir)).destroy();
    expect(await verified(dataDir)).toMatchObject([{ contributions: 3, versions: 4, head: whileServed[0]!.head }]);
    const columns = ['local_loss', 'received_at', 'row_hash', 'signature', 'shard_index', 'base_version'];
    for (const column of [...columns, 'folded_version']) {
      const change = `update contributions set ${column} = 5`;
      expect(() => writeTo(dataDir, change)).toThrow('the ledger is append-only');
    }
    expect(() => writeTo(dataDir, 'delete from contributions')).toThrow('the ledger is append-only');
  });
});

describe('oneround verify', () => {
  it('prints a line a campaign, or what is wrong and exits 1', async () => {
    expect((await run(dataDir, '--campaign', 'test')).stdout).toMatch(
      /^test: 3 contributions \(0 not folded yet, 0 set aside, 0 withdrawn\), 4 versions, \d+ files of [\d.]+ MB: all as recorded, [\d.]+ s; last row [0-9a-f]{64}\n$/,
    );
    const path = flipByte(rows()[0]!.sha256);
    const stderr: unknown = expect.stringMatching(new RegExp(`^oneround: campaign test: contribution #1 .*${path}`));
    await expect(run(dataDir)).rejects.toMatchObject({ code: 1, stderr });
    await expect(run(dataDir, '--campaign', 'other')).rejects.toThrow('holds no campaign called "other"');
    await expect(run(campaign.folder)).rejects.toThrow('is no data directory of oneround');
  });
});
