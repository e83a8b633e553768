/** Campaigns of many rounds on the ledger: how a round ends, what is turned away, and that it all can be computed again. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ExactFold,
  generateClientKeys,
  initialState,
  type Lease,
  type RoundSettings,
  sha256Hex,
  serverStep,
} from '@oneround/fl-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { collect } from '../testing/collect.ts';
import { exportedFiles } from '../testing/exported-files.ts';
import { rechain, selectRows, tamperWith } from '../testing/ledger-file.ts';
import { contributeTo, joinLedger, uploadTo, type LedgerVolunteer } from '../testing/ledger-volunteer.ts';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { seededDelta } from '../testing/test-client.ts';
import { hashBytes } from './blobs.ts';
import { FileBlobs } from './file-blobs.ts';
import { Ledger, type LedgerOptions } from './ledger.ts';
import { bytesOf } from './round-steps.ts';
import type { EvaluationSubject } from './scoring.ts';
import { verifyDatabase, verifyDataDir } from './verify.ts';

const adam: RoundSettings['optimiser'] = {
  ...{ kind: 'fed-adam', learningRate: 0.1 },
  ...{ beta1: 0.9, beta2: 0.99, tau: 1e-3 },
};
const fedAvg: RoundSettings['optimiser'] = { kind: 'fed-avg', learningRate: 1 };

const campaigns: TestCampaign[] = [];
const open: Ledger[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  for (const ledger of open.splice(0)) await ledger.close();
  for (const campaign of campaigns.splice(0)) campaign.remove();
});

function campaignOf(rounds?: RoundSettings, shards = 3): TestCampaign {
  const settings = { adapter: smallAdapter, lease: { ttlMs: 60_000, heartbeatMs: 1000 }, ...(rounds && { rounds }) };
  const campaign = makeTestCampaign(settings, { records: 12, shards });
  campaigns.push(campaign);
  return campaign;
}

async function opened({ dataDir, file }: TestCampaign, options: Partial<LedgerOptions> = {}): Promise<Ledger> {
  const ledger = await Ledger.open({ dataDir, ...options });
  open.push(ledger);
  await ledger.addCampaign(file);
  return ledger;
}

async function close(ledger: Ledger): Promise<void> {
  open.splice(open.indexOf(ledger), 1);
  await ledger.close();
}

const deltaFor = (ledger: Ledger, seed: number) => seededDelta(ledger.definition('test').manifest.layout.size, seed);

/** Everybody comes with a key of their own, in this order. */
async function playRound(ledger: Ledger, seeds: readonly number[]): Promise<LedgerVolunteer[]> {
  const volunteers: LedgerVolunteer[] = [];
  for (const _ of seeds) volunteers.push(await joinLedger(ledger));
  for (const [at, seed] of seeds.entries()) {
    await contributeTo(ledger, volunteers[at]!, deltaFor(ledger, seed));
    await ledger.fold('test');
  }
  return volunteers;
}

const hashesOf = async (ledger: Ledger) => (await ledger.state('test')).versions.map(({ sha256 }) => sha256);

/** Of the values of a version, worked out now. */
const hashOf = async (ledger: Ledger, subject: EvaluationSubject) =>
  hashBytes(bytesOf((await ledger.subjectChange('test', subject)).values));

async function verifies(dataDir: string, expected: object): Promise<void> {
  expect(await collect(verifyDataDir(dataDir))).toMatchObject([expected]);
}

describe('a round', () => {
  it('ends when all its contributions stand, and the next is trained from where it led', async () => {
    const campaign = campaignOf({ count: 2, contributions: 2, optimiser: adam });
    const ledger = await opened(campaign);
    const { manifest, shards } = ledger.definition('test');
    const first = await joinLedger(ledger);
    expect(first.lease.base).toEqual({ version: 0, values: null });
    expect((await ledger.state('test')).round).toEqual({ number: 1, count: 2, contributed: 0, needed: 2 });
    const second = await joinLedger(ledger);
    await contributeTo(ledger, first, deltaFor(ledger, 1));
    expect(await ledger.fold('test')).toBeNull();
    await contributeTo(ledger, second, deltaFor(ledger, 2));
    expect((await ledger.state('test')).round).toEqual({ number: 1, count: 2, contributed: 2, needed: 2 });
    await expect(joinLedger(ledger)).rejects.toMatchObject({
      code: 'no_shard_free',
      message: 'Round 1 of 2 has its contributions; it is being merged.',
    });
    expect((await ledger.fold('test'))!.value).toBe(1);
    const { round, log, shards: counts } = await ledger.state('test');
    expect(round).toEqual({ number: 2, count: 2, contributed: 0, needed: 2 });
    expect(counts).toMatchObject({ total: 3, contributed: 0 });
    expect(log.map(({ message }) => message)).toContain('round 1 of 2 is over: version 1 adds 2 contributions');

    // What clients are told to start from is what Algorithm 2 gives.
    const fold = new ExactFold(manifest.layout.size);
    for (const [seed, { index }] of [
      [1, first.lease.shard!],
      [2, second.lease.shard!],
    ] as const) {
      fold.add(deltaFor(ledger, seed), shards[index]!.labelTokens * manifest.weightScale);
    }
    const start = { values: new Float32Array(fold.size), state: initialState(adam, fold.size) };
    const { values } = serverStep(adam, start, fold.mean());
    const { base } = (await joinLedger(ledger)).lease;
    expect(base).toMatchObject({ version: 1, values: { bytes: values.byteLength } });
    expect(base!.values!.sha256).toBe(await sha256Hex(new Uint8Array(values.buffer as ArrayBuffer)));
    expect(await ledger.servedFile(base!.values!.sha256)).toMatchObject({ bytes: values.byteLength });
    await verifies(campaign.dataDir, { contributions: 2, versions: 2, pending: 0 });
  });

  it('gives the same bits in every order', async () => {
    const hashes = [];
    for (const seeds of [
      [1, 2, 3],
      [3, 1, 2],
    ]) {
      const ledger = await opened(campaignOf({ count: 2, contributions: 3, optimiser: adam }, 3));
      // The same client's shard keeps its weight: everybody has the same, so that who comes when is all that differs.
      const volunteers = [await joinLedger(ledger), await joinLedger(ledger), await joinLedger(ledger)];
      for (const seed of seeds) await contributeTo(ledger, volunteers[seed - 1]!, deltaFor(ledger, seed));
      await ledger.fold('test');
      hashes.push(await hashesOf(ledger));
    }
    expect(hashes[0]).toHaveLength(2);
    expect(hashes[1]).toEqual(hashes[0]);
  });

  it('that is the only one, with FedAvg, is what one round publishes, to the bit', async () => {
    const once = await opened(campaignOf());
    const rounds = await opened(campaignOf({ count: 1, contributions: 3, optimiser: fedAvg }));
    await playRound(once, [1, 2, 3]);
    await playRound(rounds, [1, 2, 3]);
    const [merged, stepped] = [await hashesOf(once), await hashesOf(rounds)];
    expect(stepped).toEqual([merged[0], merged[3]]);
    const [a, b] = [await exportedFiles(once, 'test'), await exportedFiles(rounds, 'test')];
    expect(hashBytes(a.adapterModel)).toBe(hashBytes(b.adapterModel));
  });

  it('goes on after a restart in its middle, and ends with the same bits', async () => {
    const rounds = { count: 3, contributions: 2, optimiser: adam };
    const whole = await opened(campaignOf(rounds));
    for (const seed of [1, 3, 5]) await playRound(whole, [seed, seed + 1]);
    const campaign = campaignOf(rounds);
    let cut = await opened(campaign, { snapshots: { keep: 1 } });
    await playRound(cut, [1, 2]);
    const [third, fourth] = [await joinLedger(cut), await joinLedger(cut)];
    await contributeTo(cut, third, deltaFor(cut, 3));
    await close(cut);
    cut = await opened(campaign, { snapshots: { keep: 1 } });
    await contributeTo(cut, fourth, deltaFor(cut, 4));
    await cut.fold('test');
    await playRound(cut, [5, 6]);
    expect(await hashesOf(cut)).toEqual(await hashesOf(whole));
    for (const version of [0, 1, 2, 3]) {
      const subject = { kind: 'version' as const, version };
      expect(await hashOf(cut, subject)).toBe(await hashOf(whole, subject));
    }
    await verifies(campaign.dataDir, { contributions: 6, versions: 4 });
  });

  it('is scored alone from the version that it was trained from', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 1, optimiser: fedAvg }));
    await playRound(ledger, [1]);
    await playRound(ledger, [2]);
    const [, second] = (await ledger.state('test')).contributions;
    const { values: alone } = await ledger.subjectChange('test', {
      ...{ kind: 'contribution', contributionId: second!.contributionId, sequence: 2 },
    });
    const { values: base } = await ledger.subjectChange('test', { kind: 'version', version: 1 });
    const delta = deltaFor(ledger, 2);
    expect(alone).toEqual(base.map((value, i) => value + delta[i]!));
  });

  it('is scored for as much reading after many rounds as after one', async () => {
    const rounds = { count: 6, contributions: 1, optimiser: adam };
    const ledger = await opened(campaignOf(rounds), { snapshots: { keep: 1 } });
    for (const seed of [1, 2, 3, 4, 5, 6]) await playRound(ledger, [seed]);
    const { contributions } = await ledger.state('test');
    const { contributionId, sequence } = contributions[4]!;
    const read = vi.spyOn(FileBlobs.prototype, 'read');
    expect(await hashOf(ledger, { kind: 'version', version: 4 })).toBe((await hashesOf(ledger))[4]);
    expect(read).toHaveBeenCalledTimes(1);
    await ledger.subjectChange('test', { kind: 'contribution', contributionId, sequence });
    expect(read).toHaveBeenCalledTimes(3);
    expect(await exportedFiles(ledger, 'test', 4)).toMatchObject({ version: 4 });
    expect(read).toHaveBeenCalledTimes(4);
  });
});

describe('who takes part in a round', () => {
  it('does so once, and is told how long to wait', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 2, optimiser: fedAvg }));
    const keys = await generateClientKeys();
    const twice = [await joinLedger(ledger, { keys }), await joinLedger(ledger, { keys })];
    await contributeTo(ledger, twice[0]!, deltaFor(ledger, 1));
    await expect(contributeTo(ledger, twice[1]!, deltaFor(ledger, 2))).rejects.toMatchObject({ code: 'quota_reached' });
    await expect(joinLedger(ledger, { keys })).rejects.toMatchObject({
      code: 'no_shard_free',
      message: 'Your contribution to round 1 of 2 is in. The round ends when one more has come.',
    });
    await contributeTo(ledger, await joinLedger(ledger), deltaFor(ledger, 2));
    await ledger.fold('test');
    expect((await joinLedger(ledger, { keys })).lease).toMatchObject({ base: { version: 1 }, shard: { index: 1 } });
  });

  it('gets the shard that earlier rounds trained on least, so that each has its turn', async () => {
    const ledger = await opened(campaignOf({ count: 5, contributions: 2, optimiser: fedAvg }));
    const handed: (number | undefined)[][] = [];
    for (const seed of [1, 3, 5]) {
      const volunteers = await playRound(ledger, [seed, seed + 1]);
      handed.push(volunteers.map(({ lease }) => lease.shard?.index));
    }
    expect(handed).toEqual([
      [0, 1],
      [2, 0],
      [1, 2],
    ]);
    // All have had two. What was given back, or withdrawn, was no turn.
    const left = await joinLedger(ledger);
    expect(left.lease.shard).toMatchObject({ index: 0 });
    await ledger.leave(left.lease.leaseId);
    const [first, second, third] = [await joinLedger(ledger), await joinLedger(ledger), await joinLedger(ledger)];
    expect(third.lease.shard).toMatchObject({ index: 2 });
    const { contributionId } = await contributeTo(ledger, third, deltaFor(ledger, 7));
    await ledger.withdraw(contributionId);
    await contributeTo(ledger, first, deltaFor(ledger, 8));
    await contributeTo(ledger, second, deltaFor(ledger, 9));
    await ledger.fold('test');
    expect((await joinLedger(ledger)).lease).toMatchObject({ base: { version: 4 }, shard: { index: 2 } });
  });

  it('too late is told so at once, and may join the next', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 2, optimiser: fedAvg }));
    const late = await joinLedger(ledger);
    const begun = await uploadTo(ledger, late, deltaFor(ledger, 9));
    await playRound(ledger, [1, 2]);
    const stale = { code: 'stale_round', message: 'Round 1 is over; join again for the next one.' };
    await expect(ledger.heartbeat(late.lease.leaseId)).rejects.toMatchObject(stale);
    await expect(ledger.finishUpload(begun.contributionId)).rejects.toMatchObject(stale);
    await expect(contributeTo(ledger, late, deltaFor(ledger, 9))).rejects.toMatchObject(stale);
    const again = await joinLedger(ledger, { keys: late.keys, resumeLeaseId: late.lease.leaseId });
    expect(again.lease).toMatchObject({ resumed: false, base: { version: 1 } });
    const { contributions, clients } = await ledger.state('test');
    expect(contributions).toHaveLength(2);
    expect(clients.find(({ leaseId }) => leaseId === late.lease.leaseId)).toMatchObject({ phase: 'gone' });
  });

  it('is refused as the round has all it wants, before it is merged', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 1, optimiser: fedAvg }));
    const [first, second] = [await joinLedger(ledger), await joinLedger(ledger)];
    await contributeTo(ledger, first, deltaFor(ledger, 1));
    await expect(contributeTo(ledger, second, deltaFor(ledger, 2))).rejects.toMatchObject({ code: 'stale_round' });
    expect((await ledger.state('test')).contributions).toHaveLength(1);
  });

  it('cannot pass a delta from another version off as one of this round', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 1, optimiser: fedAvg }));
    await playRound(ledger, [1]);
    const volunteer = await joinLedger(ledger);
    const claimed: Lease = { ...volunteer.lease, base: { version: 0, values: null } };
    await expect(contributeTo(ledger, { ...volunteer, lease: claimed }, deltaFor(ledger, 2))).rejects.toMatchObject({
      code: 'bad_signature',
    });
  });

  it('hears of its contribution when it comes back after the round', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 1, optimiser: fedAvg }));
    const [{ lease, keys }] = (await playRound(ledger, [1])) as [LedgerVolunteer];
    const back = await joinLedger(ledger, { keys, resumeLeaseId: lease.leaseId });
    expect(back.lease).toMatchObject({ leaseId: lease.leaseId, resumed: true, base: { version: 0 } });
    await expect(ledger.heartbeat(lease.leaseId)).rejects.toMatchObject({ code: 'lease_spent' });
  });
});

describe('a campaign of many rounds', () => {
  it('closes by itself after the last', async () => {
    const ledger = await opened(campaignOf({ count: 1, contributions: 1, optimiser: fedAvg }));
    await playRound(ledger, [1]);
    await expect(joinLedger(ledger)).rejects.toMatchObject({ code: 'campaign_closed' });
    const [change] = await ledger.advance();
    expect(change).toMatchObject({ outcome: { value: 'closing' } });
    const { log, status, round } = await ledger.state('test');
    expect(status).toBe('closing');
    expect(round).toMatchObject({ number: 1, contributed: 1 });
    expect(log[0]!.message).toBe('the campaign is closing: its 1 rounds are over');
  });

  it('ends in the middle of a round when its organiser closes it', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 2, optimiser: fedAvg }));
    await playRound(ledger, [1]);
    const { contributionId } = (await ledger.state('test')).contributions[0]!;
    expect(await ledger.mergeOutcome('test', contributionId)).toEqual({ state: 'waiting' });
    await ledger.move('test', 'close');
    expect(await ledger.mergeOutcome('test', contributionId)).toEqual({ state: 'left-over' });
    const result = { loss: 1, accuracy: 0, examples: 1, domains: {} };
    await ledger.recordEvaluation('test', { kind: 'version', version: 0 }, result);
    await ledger.advance();
    expect((await ledger.state('test')).status).toBe('closed');
  });

  it('still merges a round that is full when it closes', async () => {
    const ledger = await opened(campaignOf({ count: 2, contributions: 1, optimiser: fedAvg }));
    const { contributionId } = await contributeTo(ledger, await joinLedger(ledger), deltaFor(ledger, 1));
    await ledger.move('test', 'close');
    expect(await ledger.mergeOutcome('test', contributionId)).toEqual({ state: 'waiting' });
    await ledger.fold('test');
    const merged = { state: 'merged', version: 1, before: null, after: null };
    expect(await ledger.mergeOutcome('test', contributionId)).toEqual(merged);
  });

  it('withdraws what no later round was trained from, and nothing else', async () => {
    const campaign = campaignOf({ count: 2, contributions: 2, optimiser: fedAvg });
    const ledger = await opened(campaign);
    const [first] = (await playRound(ledger, [1])) as [LedgerVolunteer];
    const contributed = (await ledger.state('test')).contributions[0]!;
    expect((await ledger.withdraw(contributed.contributionId)).value.version).toBeNull();
    expect((await ledger.state('test')).round).toMatchObject({ number: 1, contributed: 0 });
    await contributeTo(ledger, await joinLedger(ledger, { keys: first.keys }), deltaFor(ledger, 2));
    await playRound(ledger, [3]);
    const merged = (await ledger.state('test')).contributions[1]!;
    await expect(ledger.withdraw(merged.contributionId)).rejects.toMatchObject({
      code: 'trained_upon',
      message: expect.stringMatching(/version 1, which later rounds are trained from/),
    });
    await verifies(campaign.dataDir, { contributions: 3, withdrawn: 1, pending: 0, versions: 2 });
  });

  it('wants no more for a round than can come', () => {
    const campaign = campaignOf({ count: 2, contributions: 4, optimiser: fedAvg }, 3);
    return expect(opened(campaign)).rejects.toThrow(/rounds.contributions: .* 3 shards .* give 3/);
  });

  it('has no screens', () => {
    const rounds = { count: 2, contributions: 1, optimiser: fedAvg };
    const campaign = makeTestCampaign({
      rounds,
      merge: { weights: { by: 'equal' }, screens: null, scaleSearch: true },
    });
    campaigns.push(campaign);
    return expect(opened(campaign)).rejects.toThrow(/merge: .*neither screens nor a scale search/);
  });

  it('serves the newest values after a restart with its file', async () => {
    const campaign = campaignOf({ count: 2, contributions: 1, optimiser: fedAvg });
    const ledger = await opened(campaign);
    await playRound(ledger, [1]);
    await close(ledger);
    const again = await opened(campaign);
    const { lease } = await joinLedger(again);
    expect(await again.servedFile(lease.base!.values!.sha256)).not.toBeNull();
  });
});

describe('verify', () => {
  let campaign: TestCampaign;

  beforeEach(async () => {
    campaign = campaignOf({ count: 3, contributions: 2, optimiser: adam });
    const ledger = await opened(campaign);
    await playRound(ledger, [1, 2]);
    await playRound(ledger, [3, 4]);
    await close(ledger);
    await verifies(campaign.dataDir, { contributions: 4, versions: 3, pending: 0 });
  });

  const tamper = (statement: string) => tamperWith(campaign.dataDir, statement);

  const verdict = () => verifyDataDir(campaign.dataDir).next();

  it('notices that a contribution was trained from another version', async () => {
    tamper('update contributions set base_version = 0 where sequence = 3');
    await expect(verdict()).rejects.toThrow(/contribution #3 .*hash of the row/);
    await rechain(campaign.dataDir);
    await expect(verdict()).rejects.toThrow(/contribution #3 .*signature/);
  });

  it('notices a contribution that its round passes over', async () => {
    tamper('update contributions set folded_version = null where sequence = 2');
    await expect(verdict()).rejects.toThrow(/contribution #2 .*version that holds it should be version 1 but is none/);
  });

  it('notices a contribution in a round that is not its own', async () => {
    tamper('update contributions set folded_version = 2 where sequence = 1');
    await expect(verdict()).rejects.toThrow(
      /contribution #1 .*version that holds it should be version 1 but is version 2/,
    );
  });

  it('notices a round with one contribution less', async () => {
    tamper('delete from contributions where sequence = 4');
    await rechain(campaign.dataDir);
    await expect(verdict()).rejects.toThrow(/version 2: the number of contributions should be 2 but is 1/);
  });

  it.each([
    ['sha256', 'SHA-256 of the adapter'],
    ['export_sha256', 'SHA-256 of the export'],
    ['sum_sha256', 'SHA-256 of the round state'],
    ['weight', 'weight'],
    ['label_tokens', 'label tokens'],
  ])('notices a version whose %s is another', async (column, what) => {
    tamper(`update versions set ${column} = 1 where version = 1`);
    await expect(verdict()).rejects.toThrow(new RegExp(`version 1: the ${what} should be`));
  });

  it('notices values that are not those of the version', async () => {
    const values = 'select sha256 from versions where version = 1';
    const { sha256 } = selectRows<{ sha256: string }>(campaign.dataDir, values)[0]!;
    const path = join(campaign.dataDir, 'blobs', sha256);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.with(0, bytes[0]! ^ 1));
    await expect(verdict()).rejects.toThrow(`version 1: values: the SHA-256 of ${path} should be ${sha256} but is`);
  });
});

describe('values that an earlier release dropped', () => {
  let campaign: TestCampaign;
  let ledger: Ledger;
  let dropped: string;

  /** Three rounds, and no values of the first. */
  beforeEach(async () => {
    campaign = campaignOf({ count: 4, contributions: 1, optimiser: adam });
    ledger = await opened(campaign);
    for (const seed of [1, 2, 3]) await playRound(ledger, [seed]);
    dropped = (await hashesOf(ledger))[1]!;
    await close(ledger);
    rmSync(join(campaign.dataDir, 'blobs', dropped));
  });

  const forget = () => tamperWith(campaign.dataDir, "delete from files where path = 'versions/1.f32'");

  it('are worked out again by verify, which says so, but have to be there when the ledger names them', async () => {
    await expect(verifyDataDir(campaign.dataDir).next()).rejects.toThrow(/version 1: values: .* is missing/);
    forget();
    await verifies(campaign.dataDir, { contributions: 3, versions: 4, archived: 1 });
  });

  it('are refused to whoever asks, and what they would score is passed over', async () => {
    forget();
    ledger = await opened(campaign);
    await expect(ledger.exportVersion('test', 1)).rejects.toMatchObject({ code: 'version_archived' });
    const subjects = await ledger.unevaluated('test');
    const names = subjects.map((subject) =>
      'version' in subject ? `v${subject.version}` : `#${'sequence' in subject && subject.sequence}`,
    );
    // The second contribution was trained from version 1.
    expect(names).toEqual(['v3', 'v2', 'v0', '#1', '#3']);
    for (const subject of subjects) await ledger.subjectChange('test', subject);
    await playRound(ledger, [4]);
    await verifies(campaign.dataDir, { contributions: 4, versions: 5, archived: 1 });
  });
});

describe('on Postgres', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.remove());

  it('two servers finish rounds together, with the bits of one on SQLite', async () => {
    const rounds = { count: 2, contributions: 2, optimiser: adam };
    const alone = await opened(campaignOf(rounds));
    const played: { seeds: number[]; shards: number[] }[] = [];
    for (const seeds of [
      [1, 2],
      [3, 4],
    ]) {
      played.push({ seeds, shards: (await playRound(alone, seeds)).map(({ lease }) => lease.shard!.index) });
    }
    const databaseUrl = await postgres.createDatabase();
    const campaign = campaignOf(rounds);
    const servers: Ledger[] = [];
    for (const name of ['a', 'b']) {
      const place = { dataDir: join(campaign.folder, name), databaseUrl, foldLeaseMs: 60_000 };
      servers.push(await opened(campaign, place));
    }
    await vi.waitUntil(async () => (await servers[0]!.catchUp()).leads, { timeout: 20_000 });
    for (const { seeds, shards } of played) {
      const volunteers = await Promise.all(servers.map((ledger) => joinLedger(ledger)));
      volunteers.sort((a, b) => shards.indexOf(a.lease.shard!.index) - shards.indexOf(b.lease.shard!.index));
      expect(volunteers.map(({ lease }) => lease.shard!.index)).toEqual(shards);
      await contributeTo(servers[0]!, volunteers[0]!, deltaFor(alone, seeds[0]!));
      await contributeTo(servers[1]!, volunteers[1]!, deltaFor(alone, seeds[1]!));
      // The server that does not lead refuses the next one already, and has the version as soon as it is there.
      await expect(joinLedger(servers[1]!)).rejects.toMatchObject({ code: expect.stringMatching(/no_shard_free/) });
      expect(await servers[1]!.fold('test')).toBeNull();
      await servers[0]!.fold('test');
    }
    for (const ledger of servers) expect(await hashesOf(ledger)).toEqual(await hashesOf(alone));
    const subject = { kind: 'version' as const, version: 2 };
    expect(await hashOf(servers[1]!, subject)).toBe(await hashOf(alone, subject));
    expect(await collect(verifyDatabase(databaseUrl))).toMatchObject([{ versions: 3, pending: 0 }]);
  });

  it('takes exactly as many as a round wants when more come at once', async () => {
    const databaseUrl = await postgres.createDatabase();
    const campaign = campaignOf({ count: 2, contributions: 2, optimiser: fedAvg });
    const servers: Ledger[] = [];
    for (const name of ['a', 'b', 'c']) {
      servers.push(await opened(campaign, { dataDir: join(campaign.folder, name), databaseUrl, foldLeaseMs: 60_000 }));
    }
    const volunteers = [];
    for (const ledger of servers) volunteers.push(await joinLedger(ledger));
    const sent = await Promise.allSettled(
      volunteers.map((volunteer, seed) => contributeTo(servers[seed]!, volunteer, deltaFor(servers[0]!, seed))),
    );
    expect(sent.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    const refused = sent.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(refused.reason).toMatchObject({ code: 'stale_round' });
    expect((await servers[0]!.state('test')).round).toMatchObject({ contributed: 2 });
  });
});
