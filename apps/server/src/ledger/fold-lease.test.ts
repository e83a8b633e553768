/**
 * The fence: a leader whose lease was taken over while it worked commits nothing, whatever it was about to do. Elsewhere the
 * key of a version, or a contribution that is folded already, may happen to stop it; here nothing else does.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { sql } from 'kysely';
import { contributeTo, joinLedger } from '../testing/ledger-volunteer.ts';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { seededDelta } from '../testing/test-client.ts';
import type { CampaignDefinition } from '../campaign/index.ts';
import { openAdapter, type CampaignAdapter } from './campaign-adapter.ts';
import { FileBlobs } from './file-blobs.ts';
import { FoldLease, LeaseTaken } from './fold-lease.ts';
import { admissionOf, GlobalAdapter } from './global-adapter.ts';
import { Ledger } from './ledger.ts';
import { openDatabase, type LedgerDatabase } from './open-database.ts';
import { PostgresBlobs } from './postgres-blobs.ts';
import { defaultSnapshots } from './version-sums.ts';

const NOW = 1_700_000_000_000;
/** Nobody looks at the lease in between. */
const LEASE_MS = 3_600_000;

let postgres: TestPostgres;
let campaign: TestCampaign;
let db: LedgerDatabase;
let foldLease: FoldLease;
let adapter: CampaignAdapter;
/** Called once, when the next delta is read. */
let onRead: (() => Promise<void>) | null;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());
beforeEach(() => {
  onRead = null;
});
afterEach(async () => {
  await foldLease.close();
  await db.destroy();
  campaign.remove();
});

/** The adapter of a campaign with a folded contribution, where `folds`, and one that waits; and their ids. */
async function lead(databaseUrl: string | undefined, changes: Parameters<typeof makeTestCampaign>[0], folds: boolean) {
  campaign = makeTestCampaign({ adapter: smallAdapter, ...changes });
  const { dataDir } = campaign;
  const ledger = await Ledger.open({ dataDir, databaseUrl });
  await ledger.addCampaign(campaign.file);
  const definition: CampaignDefinition = ledger.definition('test');
  const ids: string[] = [];
  for (const seed of [1, 2]) {
    const delta = seededDelta(definition.manifest.layout.size, seed);
    ids.push((await contributeTo(ledger, await joinLedger(ledger), delta)).contributionId);
    if (seed === 1 && folds) expect((await ledger.fold('test'))!.value).toBe(1);
  }
  await ledger.close();
  db = await openDatabase(dataDir, databaseUrl);
  foldLease = await FoldLease.open(db, () => NOW, LEASE_MS);
  expect(foldLease.isHeld).toBe(true);
  const files = new FileBlobs(dataDir);
  const blobs = databaseUrl === undefined ? files : new PostgresBlobs(db, files);
  const read = blobs.read.bind(blobs);
  blobs.read = async (sha256) => {
    const call = onRead;
    onRead = null;
    await call?.();
    return read(sha256);
  };
  adapter = await openAdapter(definition, { db, blobs, foldLease, snapshots: defaultSnapshots }, NOW);
  return ids as [string, string];
}

/** Another server leads from now on. */
async function takeOver(): Promise<void> {
  await sql`update fold_lease set epoch = epoch + 1`.execute(db);
}

/** All that a fold, a withdrawal or a verdict changes. */
async function rowsOf(): Promise<unknown[][]> {
  const tables = ['campaigns', 'contributions', 'versions', 'withdrawals', 'verdicts', 'snapshots', 'files'];
  const results = tables.map((table) => sql`select * from ${sql.table(table)} order by 1, 2`.execute(db));
  return (await Promise.all(results)).map(({ rows }) => rows);
}

/** `act` is fenced off, and does as it should for a server that leads. `reads`: the lease is taken while it reads a delta. */
async function expectFence(act: () => Promise<unknown>, { reads }: { reads: boolean }): Promise<void> {
  const before = await rowsOf();
  if (reads) onRead = takeOver;
  else await takeOver();
  await expect(act()).rejects.toThrow(LeaseTaken);
  expect(onRead).toBeNull();
  expect(foldLease.isHeld).toBe(false);
  expect(await rowsOf()).toEqual(before);
  await foldLease.take();
  await act();
  expect(await rowsOf()).not.toEqual(before);
}

it('a leader that stops lets another lead at once, also when it was about to keep the lease up', async () => {
  await lead(await postgres.createDatabase(), {}, false);
  await foldLease.close();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    foldLease = await FoldLease.open(db, () => NOW, LEASE_MS);
    vi.advanceTimersByTime(LEASE_MS);
    await foldLease.close();
  } finally {
    vi.useRealTimers();
  }
  foldLease = await FoldLease.open(db, () => NOW, LEASE_MS);
  expect(foldLease.isHeld).toBe(true);
});

const rounds = {
  count: 2,
  contributions: 2,
  optimiser: { kind: 'fed-avg' as const, learningRate: 1 },
};

describe.each([
  ['SQLite', async () => undefined],
  ['Postgres', () => postgres.createDatabase()],
])('on %s, a leader that was overtaken', (_, place) => {
  it('folds nothing', async () => {
    await lead(await place(), {}, true);
    await expectFence(() => adapter.foldPending(NOW), { reads: true });
  });

  it('withdraws nothing that a version holds', async () => {
    const [held] = await lead(await place(), {}, true);
    await expectFence(() => adapter.withdraw(held, NOW), { reads: true });
  });

  it('withdraws nothing that waits', async () => {
    const [, waiting] = await lead(await place(), {}, true);
    await expectFence(() => adapter.withdraw(waiting, NOW), { reads: false });
  });

  it('puts nothing into quarantine', async () => {
    const [held] = await lead(await place(), {}, true);
    const verdict = { ...admissionOf(held), verdict: 'quarantined' as const, reason: 'worse-held-out' as const };
    await expectFence(() => (adapter as GlobalAdapter).quarantine([verdict], NOW), { reads: true });
  });

  it('admits nothing', async () => {
    const [, waiting] = await lead(await place(), {}, true);
    await expectFence(() => (adapter as GlobalAdapter).admit([waiting], NOW), { reads: false });
  });

  it('settles nothing, on another version or on the newest', async () => {
    const [held] = await lead(await place(), {}, true);
    const verdict = { ...admissionOf(held), verdict: 'quarantined' as const, reason: 'worse-held-out' as const };
    const settled = (verdicts: (typeof verdict)[]) => (adapter as GlobalAdapter).settle({ verdicts, scale: 1 }, NOW);
    await expectFence(() => settled([verdict]), { reads: true });
    await sql`update campaigns set settled_version = null`.execute(db);
    await expectFence(() => settled([]), { reads: false });
  });

  it('ends no round', async () => {
    await lead(await place(), { rounds }, false);
    await expectFence(() => adapter.foldPending(NOW), { reads: true });
  });

  it('takes nothing out of a round', async () => {
    const [waiting] = await lead(await place(), { rounds }, false);
    await expectFence(() => adapter.withdraw(waiting, NOW), { reads: false });
  });
});
