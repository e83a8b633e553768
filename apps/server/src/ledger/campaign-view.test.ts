/** A crowd's campaign on both stores: what observers are shown stays small, and the counts say how much there is. */
import { randomUUID } from 'node:crypto';
import { contributionSchema, STATE_ROWS, STATE_VERSIONS, versionSchema } from '@oneround/fl-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { countCampaign } from './campaign-counts.ts';
import { readContribution, readNewest, readPage, readVersion, readVersions } from './campaign-view.ts';
import { Ledger } from './ledger.ts';
import { readMergeOutcome } from './merge-outcome.ts';
import { openDatabase, type LedgerDatabase } from './open-database.ts';

const CONTRIBUTIONS = 450;
const VERSIONS = 1000;
const NOW = 1_800_000_000_000;
const HASH = 'a'.repeat(64);
const evaluation = (kind: 'version' | 'contribution', subject: string, loss: number) => ({
  ...{ campaign_id: 'test', kind, subject },
  result: JSON.stringify({ loss, accuracy: 0.5, examples: 1, domains: {} }),
});

let postgres: TestPostgres;
let campaign: TestCampaign;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());

describe.each(['SQLite', 'Postgres'])('%s', (store) => {
  let ledger: Ledger;
  let db: LedgerDatabase;
  const ids = Array.from({ length: CONTRIBUTIONS }, () => randomUUID() as string);

  beforeAll(async () => {
    campaign = makeTestCampaign();
    const { dataDir } = campaign;
    const databaseUrl = store === 'Postgres' ? await postgres.createDatabase() : undefined;
    ledger = await Ledger.open({ dataDir, databaseUrl });
    await ledger.addCampaign(campaign.file);
    db = await openDatabase(dataDir, databaseUrl);
    await fill(db, ids);
  });
  afterAll(async () => {
    await db.destroy();
    await ledger.close();
    campaign.remove();
  });

  it('lists the newest contributions, and all of them page by page', async () => {
    const newest = await readNewest(db, 'test');
    expect(newest.map(({ sequence }) => sequence)).toEqual(range(CONTRIBUTIONS - STATE_ROWS + 1, CONTRIBUTIONS));
    const pages: string[][] = [];
    for (let after = 0; ;) {
      const page = await readPage(db, 'test', after);
      if (page.length === 0) break;
      pages.push(page.map(({ contributionId }) => contributionId));
      after = page.at(-1)!.sequence;
    }
    expect(pages.map(({ length }) => length)).toEqual([200, 200, 50]);
    expect(pages.flat()).toEqual(ids);
  });

  it('lists the first version, the newest, and others evenly between', async () => {
    const numbers = (await readVersions(db, 'test')).map(({ version }) => version);
    expect(numbers.length).toBeLessThanOrEqual(STATE_VERSIONS);
    expect(numbers.slice(0, 3)).toEqual([0, 5, 10]);
    expect(numbers.slice(-STATE_ROWS)).toEqual(range(VERSIONS - STATE_ROWS + 1, VERSIONS));
    const gaps = numbers.slice(1).map((version, i) => version - numbers[i]!);
    expect(Math.max(...gaps)).toBe(5);
  });

  it('reads one row by its key, with its score, its withdrawal and where it was', async () => {
    const first = await readContribution(db, ids[0]!);
    expect(contributionSchema.parse(first)).toMatchObject({
      sequence: 1,
      foldedVersion: 1,
      held: [{ from: 1, to: 2 }],
      withdrawn: { at: NOW, version: 2 },
      alone: { loss: 9 },
    });
    expect(contributionSchema.parse(await readContribution(db, ids[1]!))).toMatchObject({
      held: [{ from: 1, to: null }],
      withdrawn: null,
      alone: null,
    });
    expect(versionSchema.parse(await readVersion(db, 'test', 2))).toMatchObject({ evaluation: { loss: 2 } });
    expect(versionSchema.parse(await readVersion(db, 'test', 3))).toMatchObject({ evaluation: null });
    await expect(readContribution(db, randomUUID())).rejects.toThrow('no contribution');
  });

  it('says what a contribution did, as far as it is known', async () => {
    const outcomes = [0, 1, 2, CONTRIBUTIONS - 1].map((at) => readMergeOutcome(db, { id: 'test' }, ids[at]!));
    expect(await Promise.all(outcomes)).toEqual([
      { state: 'withdrawn' },
      { state: 'merged', version: 1, before: null, after: 1 },
      { state: 'merged', version: 2, before: 1, after: 2 },
      { state: 'waiting' },
    ]);
    expect(await readMergeOutcome(db, { id: 'test' }, randomUUID())).toBeNull();
    expect(await readMergeOutcome(db, { id: 'elsewhere' }, ids[0]!)).toBeNull();
  });

  it('counts everything, not what is listed', async () => {
    const counts = await countCampaign(db, ledger.definition('test'), NOW);
    expect(counts).toMatchObject({
      status: 'open',
      shards: { total: 3, leased: 1, contributed: 2, givenUp: 0 },
      totals: {
        clients: CONTRIBUTIONS,
        training: 7,
        refused: 1,
        contributions: CONTRIBUTIONS,
        merged: CONTRIBUTIONS - 2,
        withdrawn: 1,
        versions: VERSIONS + 1,
      },
      bytesUp: 10 * CONTRIBUTIONS,
    });
    const state = await ledger.state('test');
    expect([state.clients.length, state.contributions.length, state.log.length]).toEqual([STATE_ROWS, STATE_ROWS, 0]);
    expect(state.clients.map(({ joinedAt }) => joinedAt)).toEqual(
      range(CONTRIBUTIONS - STATE_ROWS + 1, CONTRIBUTIONS).map((number) => NOW + number),
    );
  });
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Contributions of as many clients in `VERSIONS` versions: the first withdrawn again, the last not folded. */
async function fill(db: LedgerDatabase, ids: readonly string[]): Promise<void> {
  const shared = { campaign_id: 'test', public_key: HASH, previous_hash: HASH, row_hash: HASH };
  const leases = ids.map((contributionId, i) => {
    const number = i + 1;
    const refusal = number === 5 ? { code: 'bad_weight', message: 'no' } : null;
    const client = { leaseId: randomUUID(), joinedAt: NOW + number, contributionId, refusal };
    return {
      ...{ lease_id: client.leaseId, campaign_id: 'test', public_key: HASH, source: 'shard' as const },
      ...{
        shard_index: number <= 3 ? number - 1 : null,
        expires_at: number === 3 ? NOW + 1 : NOW,
        base_version: 0,
        ended: null,
      },
      ...{ client: JSON.stringify(client), joined_at: client.joinedAt },
      phase: number <= 7 ? ('training' as const) : ('contributed' as const),
      refused: refusal ? (1 as const) : (0 as const),
    };
  });
  const rows = ids.map((contribution_id, i) => ({
    ...shared,
    ...{ contribution_id, sequence: i + 1, lease_id: leases[i]!.lease_id, client_id: `client${i}`, signature: '' },
    ...{ shard_index: i > 0 && i < 3 ? i : null, base_version: 0, sha256: `${HASH}${i}`, bytes: 10, label_tokens: 1 },
    ...{ examples: 1, steps: 1, local_loss: 1, norm: 1, bytes_down: 0, training_ms: 1, received_at: NOW },
    folded_version: i + 1 === ids.length ? null : i < 2 ? 1 : i,
  }));
  const versions = range(1, VERSIONS).map((version) => ({
    ...{ campaign_id: 'test', version, sha256: HASH, export_sha256: HASH, sum_sha256: HASH },
    ...{ weight: 1, label_tokens: 1, scale: 1, created_at: NOW },
  }));
  const { public_key: _key, ...chained } = shared;
  await db.transaction().execute(async (transaction) => {
    for (let at = 0; at < ids.length; at += 50) {
      await transaction
        .insertInto('leases')
        .values(leases.slice(at, at + 50))
        .execute();
      await transaction
        .insertInto('contributions')
        .values(rows.slice(at, at + 50))
        .execute();
    }
    for (let at = 0; at < VERSIONS; at += 100) {
      await transaction
        .insertInto('versions')
        .values(versions.slice(at, at + 100))
        .execute();
    }
    const withdrawal = {
      ...chained,
      contribution_id: ids[0]!,
      sequence: ids.length + 1,
      version: 2,
      withdrawn_at: NOW,
    };
    await transaction.insertInto('withdrawals').values(withdrawal).execute();
    const scores = [
      evaluation('version', '1', 1),
      evaluation('version', '2', 2),
      evaluation('contribution', ids[0]!, 9),
    ];
    await transaction.insertInto('evaluations').values(scores).execute();
  });
}
