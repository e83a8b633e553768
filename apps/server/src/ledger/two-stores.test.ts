/** One ledger, two stores: what is joined, sent, resumed and folded is the same on SQLite and on Postgres, to the bit. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeDelta, type CampaignConfig } from '@oneround/fl-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { collect } from '../testing/collect.ts';
import { exportedFiles } from '../testing/exported-files.ts';
import { beginOf, contributeTo, deltaFor, joinLedger, uploadTo } from '../testing/ledger-volunteer.ts';
import { connectTo, queryOnce, startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { Ledger } from './ledger.ts';
import { verifyDatabase, verifyDataDir } from './verify.ts';

const PATIENCE = { timeout: 20_000 };

let postgres: TestPostgres;
let campaign: TestCampaign;
let databaseUrl: string;
const open: Ledger[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());
beforeEach(async () => {
  campaign = makeTestCampaign({ lease: { ttlMs: 5000, heartbeatMs: 1000 } });
  databaseUrl = await postgres.createDatabase();
});
afterEach(async () => {
  for (const ledger of open.splice(0)) await ledger.close();
  campaign.remove();
});

async function onSqlite(): Promise<Ledger> {
  return opened({ dataDir: campaign.dataDir });
}

/** One of several servers on the same database, each with a folder of its own for copies. */
async function onPostgres(): Promise<Ledger> {
  return opened({ dataDir: `${campaign.dataDir}-${open.length}`, databaseUrl });
}

async function opened(options: Parameters<typeof Ledger.open>[0]): Promise<Ledger> {
  const ledger = await Ledger.open(options);
  open.push(ledger);
  await ledger.addCampaign(campaign.file);
  return ledger;
}

/** Waits until a ledger leads, as far as it knows. */
async function leads(ledger: Ledger): Promise<void> {
  await vi.waitUntil(async () => (await ledger.catchUp()).leads, PATIENCE);
}

/** Three contributions in two folds. @returns the hashes of every version */
async function round(ledger: Ledger): Promise<string[]> {
  await leads(ledger);
  const volunteers = [await joinLedger(ledger), await joinLedger(ledger), await joinLedger(ledger)];
  expect(volunteers.map(({ lease }) => lease.shard!.index)).toEqual([0, 1, 2]);
  await expect(joinLedger(ledger)).rejects.toMatchObject({ code: 'no_shard_free' });
  for (const [seed, volunteer] of volunteers.entries()) {
    const receipt = await contributeTo(ledger, volunteer, deltaFor(ledger, seed));
    expect([receipt.sequence, receipt.repeated]).toEqual([seed + 1, false]);
    if (seed > 0) await ledger.fold('test');
  }
  const { versions, contributions, clients, shards, bytesUp } = await ledger.state('test');
  expect(contributions.map(({ foldedVersion }) => foldedVersion)).toEqual([1, 1, 2]);
  expect(clients.map(({ phase }) => phase)).toEqual(['contributed', 'contributed', 'contributed']);
  expect(shards).toEqual({ total: 3, leased: 0, contributed: 3, givenUp: 0 });
  expect(bytesUp).toBe(contributions.reduce((sum, row) => sum + row.bytesUp, 0));
  return versions.map(({ sha256, exportSha256 }) => `${sha256} ${exportSha256}`);
}

it('gives the same versions on both, and both verify', async () => {
  const versions = await round(await onSqlite());
  expect(new Set(versions).size).toBe(3);
  expect(await round(await onPostgres())).toEqual(versions);
  const [onFiles, inRows] = [
    await collect(verifyDataDir(campaign.dataDir)),
    await collect(verifyDatabase(databaseUrl)),
  ];
  expect(onFiles).toMatchObject([{ contributions: 3, pending: 0, versions: 3 }]);
  expect(inRows).toMatchObject([{ contributions: 3, pending: 0, versions: 3, blobs: onFiles[0]!.blobs }]);
});

it('notices a changed byte in Postgres', async () => {
  const ledger = await onPostgres();
  await contributeTo(ledger, await joinLedger(ledger), deltaFor(ledger, 1));
  await queryOnce(
    databaseUrl,
    `update chunks set data = set_byte(data, 100, 255 - get_byte(data, 100))
    where upload in (select upload from blobs join contributions using (sha256))`,
  );
  await expect(verifyDatabase(databaseUrl).next()).rejects.toThrow(/contribution #1 .* the SHA-256 of the blob/);
});

describe('two servers on one Postgres', () => {
  it('hand out each shard once, also when everybody comes at once', async () => {
    const [first, second] = [await onPostgres(), await onPostgres()];
    const joins = await Promise.allSettled(
      [first, second, first, second, first, second].map((ledger) => joinLedger(ledger)),
    );
    const shards = joins.flatMap((join) => (join.status === 'fulfilled' ? [join.value.lease.shard!.index] : []));
    expect(shards.toSorted()).toEqual([0, 1, 2]);
    for (const join of joins)
      if (join.status === 'rejected') expect(join.reason).toMatchObject({ code: 'no_shard_free' });
  });

  it('go on with one another’s leases and uploads, and accept one that came to both once', async () => {
    const [first, second] = [await onPostgres(), await onPostgres()];
    const volunteer = await joinLedger(first);
    const bytes = encodeDelta(deltaFor(first, 1), 'f32');
    const begin = await beginOf(first, volunteer, bytes);
    expect(await first.beginUpload(begin)).toBe(0);
    expect(await first.uploadChunk(begin.contributionId, 0, bytes.subarray(0, 5000))).toBe(5000);
    const resumed = await joinLedger(second, { keys: volunteer.keys, resumeLeaseId: volunteer.lease.leaseId });
    expect(resumed.lease).toMatchObject({ leaseId: volunteer.lease.leaseId, resumed: true });
    expect(await second.beginUpload(begin)).toBe(5000);
    await second.uploadChunk(begin.contributionId, 5000, bytes.subarray(5000));
    const receipts = await Promise.all([first, second].map((ledger) => ledger.finishUpload(begin.contributionId)));
    expect(receipts.map(({ value }) => value.sequence)).toEqual([1, 1]);
    expect(receipts.filter(({ value }) => !value.repeated)).toHaveLength(1);
    expect((await first.state('test')).contributions).toHaveLength(1);
  });

  it('keep every byte of what one accepts while the other is asked for another upload under the same lease', async () => {
    const tries = 12;
    campaign.remove();
    campaign = makeTestCampaign({ lease: { ttlMs: 5000, heartbeatMs: 1000 } }, { records: 96, shards: tries + 1 });
    const [first, second] = [await onPostgres(), await onPostgres()];
    // How long it takes undisturbed, here and now: the other server is asked at any time of twice that.
    const undisturbed = await uploadTo(first, await joinLedger(first), deltaFor(first, 2 * tries));
    const began = performance.now();
    await first.finishUpload(undisturbed.contributionId);
    const stepMs = (2 * (performance.now() - began)) / tries;
    let accepted = 1;
    for (let delay = 0; delay < tries; delay++) {
      const volunteer = await joinLedger(first);
      const { contributionId } = await uploadTo(first, volunteer, deltaFor(first, delay));
      const other = await beginOf(second, volunteer, encodeDelta(deltaFor(first, delay + tries), 'f32'));
      const [finished] = await Promise.allSettled([
        first.finishUpload(contributionId),
        sleep(stepMs * delay).then(() => second.beginUpload(other)),
      ]);
      if (finished.status === 'fulfilled') accepted++;
      else expect(finished.reason).toMatchObject({ name: 'Refusal' });
    }
    expect(await collect(verifyDatabase(databaseUrl))).toMatchObject([{ contributions: accepted }]);
    expect(accepted).toBeGreaterThan(1);
  });

  it('lose no first contribution to a server that comes with another file for its campaign', async () => {
    const { file } = campaign;
    for (let seed = 0; seed < 5; seed++) {
      databaseUrl = await postgres.createDatabase();
      const first = await onPostgres();
      const second = await Ledger.open({ dataDir: `${campaign.dataDir}-late-${seed}`, databaseUrl });
      open.push(second);
      const { contributionId } = await uploadTo(first, await joinLedger(first), deltaFor(first, seed));
      const changed = {
        ...(JSON.parse(readFileSync(file, 'utf8')) as CampaignConfig),
        upload: { codec: 'f32', maxNorm: 99 },
      };
      const other = join(campaign.folder, 'changed.json');
      writeFileSync(other, JSON.stringify(changed));
      const adding = second.addCampaign(other);
      const [finished, added] = await Promise.allSettled([
        sleep(seed * 60).then(() => first.finishUpload(contributionId)),
        adding,
      ]);
      expect([finished.status, added.status]).toContain('rejected');
      expect(await collect(verifyDatabase(databaseUrl))).toMatchObject([
        { contributions: finished.status === 'fulfilled' ? 1 : 0 },
      ]);
    }
  });

  it.each([
    ['deletes', 'unknown_campaign', (ledger: Ledger) => ledger.deleteCampaign('test')],
    ['replaces', 'unknown_lease', (ledger: Ledger) => ledger.addCampaign(campaign.file)],
  ] as const)('begin no upload in a campaign that the other %s at that moment', async (_, code, act) => {
    const [first, second] = [await onPostgres(), await onPostgres()];
    const volunteer = await joinLedger(first);
    const begin = await beginOf(first, volunteer, encodeDelta(deltaFor(first, 1), 'f32'));
    const config = JSON.parse(readFileSync(campaign.file, 'utf8')) as CampaignConfig;
    writeFileSync(campaign.file, JSON.stringify({ ...config, upload: { codec: 'f32', maxNorm: 99 } }));
    const hand = await connectTo(databaseUrl);
    const waiting = async (servers: number) => {
      const asked = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
      await vi.waitUntil(async () => (await hand.query(asked)).rowCount === servers, PATIENCE);
    };
    const answers: Promise<unknown>[] = [];
    try {
      await hand.query('begin; select 1 from leases for update');
      answers.push(act(second));
      await waiting(1);
      answers.push(first.beginUpload(begin));
      await waiting(2);
    } finally {
      // Whoever waits for it goes on.
      await hand.end();
    }
    const [, began] = await Promise.allSettled(answers);
    expect(began).toMatchObject({ status: 'rejected', reason: { name: 'Refusal', code } });
    expect(await queryOnce(databaseUrl, 'select * from uploads')).toEqual([]);
  });

  it('chain what they accept at the same time, without a gap', async () => {
    const [first, second] = [await onPostgres(), await onPostgres()];
    const volunteers = [await joinLedger(first), await joinLedger(second), await joinLedger(first)];
    const receipts = await Promise.all(
      volunteers.map((volunteer, seed) =>
        contributeTo(seed % 2 === 0 ? first : second, volunteer, deltaFor(first, seed)),
      ),
    );
    expect(receipts.map(({ sequence }) => sequence).toSorted()).toEqual([1, 2, 3]);
    expect(await collect(verifyDatabase(databaseUrl))).toMatchObject([{ contributions: 3, pending: 3 }]);
  });

  it('fold one at a time; when the one that does leaves, the other takes over and folds on', async () => {
    const [first, second] = [await onPostgres(), await onPostgres()];
    await leads(first);
    expect((await second.catchUp()).leads).toBe(false);
    const [one, other] = [await joinLedger(first), await joinLedger(second)];
    await contributeTo(second, one, deltaFor(first, 1));
    expect(await second.fold('test')).toBeNull();
    expect((await first.catchUp()).unfolded).toEqual(['test']);
    expect((await first.fold('test'))!.value).toBe(1);
    // It folded nothing, and has the version all the same.
    expect((await exportedFiles(second, 'test')).version).toBe(1);
    await contributeTo(first, other, deltaFor(first, 2));
    await first.close();
    open.shift();
    await leads(second);
    expect((await second.fold('test'))!.value).toBe(2);
  });

  it('that both believe they lead commit no fold twice', async () => {
    const ledgers: Ledger[] = [];
    for (let server = 0; server < 3; server++) {
      ledgers.push(await opened({ dataDir: `${campaign.dataDir}-${server}`, databaseUrl, foldLeaseMs: 0 }));
    }
    for (let seed = 0; seed < 3; seed++) {
      await contributeTo(ledgers[seed]!, await joinLedger(ledgers[seed]!), deltaFor(ledgers[0]!, seed));
      // Each takes the lease from the others again and again; whoever lost it in the middle rolls back.
      await vi.waitUntil(async () => {
        await Promise.allSettled(ledgers.map((ledger) => ledger.fold('test')));
        return (await ledgers[0]!.state('test')).contributions.every(({ foldedVersion }) => foldedVersion !== null);
      }, PATIENCE);
    }
    expect(await collect(verifyDatabase(databaseUrl))).toMatchObject([{ contributions: 3, pending: 0, versions: 4 }]);
    // An organiser's server withdraws at once, whoever leads or wants to.
    for (const [index, { contributionId }] of (await ledgers[0]!.state('test')).contributions.entries()) {
      const [withdrawn] = await Promise.all([
        ledgers[index]!.withdraw(contributionId),
        ...ledgers.map((ledger) => ledger.fold('test')),
      ]);
      expect(withdrawn.value.version).toBe(4 + index);
    }
    expect(await collect(verifyDatabase(databaseUrl))).toMatchObject([{ withdrawn: 3, versions: 7 }]);
  });

  it('tell later of what they opened before they lost the database', async () => {
    const [first, second] = [await onPostgres(), await onPostgres()];
    await first.catchUp();
    const others = ['one', 'two'].map((id) => makeTestCampaign({ id }));
    for (const other of others) {
      await second.addCampaign(other.file);
      other.remove();
    }
    // The last of the campaigns that it comes to cannot be asked for.
    const spoil = `create function spoil() returns text stable language plpgsql as $$ begin raise exception 'lost'; end $$;
      alter table campaigns rename to stored;
      create view campaigns as select id, definition_hash, case when id = 'two' then spoil() else definition end as definition,
        opened_at, head_sequence, head_hash, status, terms, file_terms, wording, settled_version from stored order by id`;
    await queryOnce(databaseUrl, spoil);
    await expect(first.catchUp()).rejects.toThrow('lost');
    await queryOnce(databaseUrl, 'drop view campaigns; alter table stored rename to campaigns');
    expect((await first.catchUp()).opened).toEqual(['one', 'two']);
  });

  it('take a campaign that the other has deleted and added again for another one, though it is the same', async () => {
    const [first, second] = [await onPostgres(), await onPostgres()];
    await leads(first);
    await contributeTo(second, await joinLedger(second), deltaFor(first, 1));
    expect((await first.fold('test'))!.value).toBe(1);
    // Between two looks of the one that leads.
    await second.deleteCampaign('test');
    await second.addCampaign(campaign.file);
    expect(await first.catchUp()).toMatchObject({ gone: ['test'], opened: ['test'], failures: [] });
    expect((await first.state('test')).versions).toHaveLength(1);
    await contributeTo(first, await joinLedger(first), deltaFor(first, 2));
    expect((await first.fold('test'))!.value).toBe(1);
    expect(await collect(verifyDatabase(databaseUrl))).toMatchObject([{ contributions: 1, versions: 2 }]);
    // Nor does who is told to serve its file go on with the one that is gone.
    await second.deleteCampaign('test');
    await second.addCampaign(campaign.file);
    expect(await first.addCampaign(campaign.file)).toMatchObject({ change: 'unchanged', problem: null });
    expect((await first.state('test')).versions).toHaveLength(1);
    expect(await first.catchUp()).toMatchObject({ gone: ['test'], opened: ['test'] });
  });

  it('go on with the others when a campaign cannot be opened, and say which', async () => {
    const [first, second] = [await onPostgres(), await onPostgres()];
    await leads(first);
    await contributeTo(second, await joinLedger(second), deltaFor(first, 1));
    const other = makeTestCampaign({ id: 'other' });
    await second.addCampaign(other.file);
    other.remove();
    const { opened, failures } = await first.catchUp();
    expect([opened, failures]).toEqual([['other'], []]);
    await second.deleteCampaign('other');
    expect(await first.catchUp()).toMatchObject({ gone: ['other'] });
    await queryOnce(
      databaseUrl,
      `insert into campaigns (id, definition_hash, definition, opened_at, head_sequence, head_hash, status, terms)
      select 'broken', definition_hash, '{}', opened_at, head_sequence, head_hash, status, terms from campaigns`,
    );
    const news = await first.catchUp();
    expect(news).toMatchObject({ leads: true, unfolded: ['test'], opened: [] });
    expect(news.failures).toEqual([expect.stringMatching(/^The campaign "broken" cannot be opened: /)]);
    expect((await first.fold('test'))!.value).toBe(1);
  });
});
