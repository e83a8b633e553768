/** How a round ends, and where it leads: the same bits in every order, over restarts and on several servers. */
import { join } from 'node:path';
import { ExactFold, initialState, sha256Hex, serverStep } from '@oneround/fl-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { collect } from '../testing/collect.ts';
import { exportedFiles } from '../testing/exported-files.ts';
import { contributeTo, deltaFor, joinLedger } from '../testing/ledger-volunteer.ts';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { adam, fedAvg, hashesOf, hashOf, playRound, roundsBed, verifies } from '../testing/rounds-bed.ts';
import { hashBytes } from './blobs.ts';
import { FileBlobs } from './file-blobs.ts';
import type { Ledger } from './ledger.ts';
import { verifyDatabase } from './verify.ts';

const { campaignOf, opened, close } = roundsBed();

afterEach(() => {
  vi.restoreAllMocks();
});

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
      const ledger = await opened(campaignOf({ count: 2, contributions: 3, optimiser: adam }));
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
