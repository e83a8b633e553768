/** The screens at work on a ledger, with a held-out set in miniature: loss is the distance to an adapter that is best. */
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  contributionsIn,
  contributionWeights,
  ExactFold,
  SeededRandom,
  type EvaluationResult,
} from '@oneround/fl-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { collect } from '../testing/collect.ts';
import { tamperWith, writeTo } from '../testing/ledger-file.ts';
import { contributeTo, joinLedger } from '../testing/ledger-volunteer.ts';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { Ledger } from './ledger.ts';
import { trialKey } from './scores.ts';
import type { EvaluationSubject } from './scoring.ts';
import { verifyDatabase, verifyDataDir } from './verify.ts';

const SHARDS = 8;
let campaign: TestCampaign;
let ledger: Ledger;
let databaseUrl: string | undefined;

async function start(merge: object = {}, terms: object = {}): Promise<void> {
  campaign = makeTestCampaign(
    {
      adapter: smallAdapter,
      merge: { weights: { by: 'label-tokens' }, screens: { warmUp: 3, tolerance: 0.5 }, scaleSearch: true, ...merge },
      terms: { draft: false, private: false, clientsPerShard: 1, closeAt: {}, ...terms },
    },
    { shards: SHARDS },
  );
  await open();
  await ledger.addCampaign(campaign.file);
}

async function open(): Promise<void> {
  ledger = await Ledger.open({ dataDir: campaign.dataDir, databaseUrl });
  await vi.waitUntil(async () => (await ledger.catchUp()).leads);
}

beforeEach(() => start());

afterEach(async () => {
  await ledger.close();
  campaign.remove();
});

const sizeOf = () => ledger.definition('test').manifest.layout.size;

/** What every honest client moves towards, in its own way. */
function honest(seed: number, length = 1): Float32Array {
  const own = new SeededRandom(seed);
  const shared = new SeededRandom(7);
  return Float32Array.from(
    { length: sizeOf() },
    () => length * 0.1 * (shared.nextUnit() - 0.5 + 0.5 * (own.nextUnit() - 0.5)),
  );
}

const flipped = (seed: number, factor = 1) => honest(seed).map((value) => -factor * value);

function noise(seed: number): Float32Array {
  const random = new SeededRandom(seed);
  return Float32Array.from({ length: sizeOf() }, () => 0.1 * (random.nextUnit() - 0.5));
}

/** Least at `reach` times the shared direction; 1 at the start. */
function score(values: Float32Array, reach = 1): EvaluationResult {
  const shared = new SeededRandom(7);
  let distance = 0;
  let all = 0;
  for (const value of values) {
    const target = reach * 0.1 * (shared.nextUnit() - 0.5);
    distance += (value - target) ** 2;
    all += target ** 2;
  }
  const loss = 0.2 + (0.8 * distance) / all;
  return { loss, accuracy: 0, examples: 8, domains: { only: { loss, accuracy: 0, examples: 8 } } };
}

/** Evaluates whatever the ledger wants evaluated, and lets it judge, until neither has anything left to do. */
async function settle(
  reach = 1,
  look: (subject: EvaluationSubject, values: Float32Array) => void = () => undefined,
): Promise<number> {
  let trials = 0;
  for (;;) {
    const [subject] = await ledger.unevaluated('test');
    if (subject) {
      if (subject.kind === 'trial') trials++;
      const { values } = await ledger.subjectChange('test', subject);
      look(subject, values);
      await ledger.recordEvaluation('test', subject, score(values, reach));
    }
    const outcomes = await ledger.advance();
    for (const { failure } of outcomes) if (failure !== undefined) throw new Error(failure);
    // A search goes on between calls.
    await setImmediate();
    if (!subject && outcomes.length === 0) return trials;
  }
}

async function contribute(delta: Float32Array, { fold = true } = {}): Promise<string> {
  const { contributionId } = await contributeTo(ledger, await joinLedger(ledger), delta);
  if (fold) await ledger.fold('test');
  return contributionId;
}

const stateOf = () => ledger.state('test');
/** The newest version, with what it holds. */
async function newest() {
  const { versions, contributions } = await stateOf();
  const version = versions.at(-1)!;
  const contributionIds = contributionsIn(version.version, contributions).map(({ contributionId }) => contributionId);
  return { ...version, contributionIds };
}

const rowOf = async (id: string) => (await stateOf()).contributions.find((row) => row.contributionId === id)!;
const logged = async () => (await stateOf()).log.flatMap(({ kind, message }) => (kind === 'screened' ? [message] : []));

async function verified() {
  const reports = databaseUrl ? verifyDatabase(databaseUrl, 'test') : verifyDataDir(campaign.dataDir, 'test');
  return (await collect(reports))[0];
}

const tamper = (statement: string) => tamperWith(campaign.dataDir, statement);

describe('on arrival', () => {
  it('sets aside what has nothing in common with what was merged, keeps it, and gives its shard out again', async () => {
    for (const seed of [1, 2, 3]) await contribute(honest(seed));
    const { lease } = await joinLedger(ledger);
    await ledger.leave(lease.leaseId);
    const volunteer = await joinLedger(ledger);
    const receipt = await contributeTo(ledger, volunteer, noise(50));
    expect(receipt).toMatchObject({ sequence: 4, repeated: false, quarantined: true });
    expect((await ledger.finishUpload(receipt.contributionId)).value).toMatchObject({
      repeated: true,
      quarantined: true,
    });
    expect(await ledger.fold('test')).toBeNull();
    expect(await rowOf(receipt.contributionId)).toMatchObject({
      foldedVersion: null,
      held: [],
      quarantined: { reason: 'against-the-mean', worstLoss: null },
    });
    const next = await joinLedger(ledger);
    expect(next.lease.shard).toMatchObject({ index: volunteer.lease.shard!.index });
    const other = await joinLedger(ledger);
    await expect(contributeTo(ledger, other, noise(50))).rejects.toMatchObject({ code: 'duplicate' });
    expect(await verified()).toMatchObject({ contributions: 4, quarantined: 1, pending: 0 });
  });

  it('gives a shard out again only so often', async () => {
    for (const seed of [1, 2, 3]) await contribute(honest(seed));
    const shards: number[] = [];
    for (let seed = 60; seed < 64; seed++) {
      const volunteer = await joinLedger(ledger);
      shards.push(volunteer.lease.shard!.index);
      await contributeTo(ledger, volunteer, noise(seed));
    }
    expect(shards).toEqual([3, 3, 3, 4]);
  });

  it('lets everything in while too few are merged to compare with', async () => {
    await contribute(noise(50));
    expect((await newest()).contributionIds).toHaveLength(1);
  });
});

/** A campaign that wants a contribution on each shard, and gets none on the last. */
async function giveUpLast(): Promise<string[]> {
  await ledger.close();
  campaign.remove();
  await start({}, { closeAt: { contributions: SHARDS } });
  for (let seed = 1; seed < SHARDS; seed++) await contribute(honest(seed));
  const inVain = [];
  for (const seed of [60, 61]) inVain.push(await contribute(noise(seed)));
  const third = await joinLedger(ledger);
  // A shard in training is not given up: its contribution may be good.
  await expect(joinLedger(ledger)).rejects.toMatchObject({ code: 'no_shard_free' });
  await contributeTo(ledger, third, noise(62));
  const left = { code: 'no_shard_left', message: expect.stringContaining('1 has been given up after 3 contributions') };
  await expect(joinLedger(ledger)).rejects.toMatchObject(left);
  expect((await stateOf()).shards).toEqual({ total: SHARDS, leased: 0, contributed: SHARDS - 1, givenUp: 1 });
  // The organiser may have it trained again.
  await ledger.withdraw(inVain[0]!);
  expect((await stateOf()).shards).toMatchObject({ givenUp: 0 });
  const again = await joinLedger(ledger);
  await settle();
  expect((await stateOf()).status).toBe('open');
  await contributeTo(ledger, again, noise(63));
  await settle();
  const { status, log, shards } = await stateOf();
  expect({ status, givenUp: shards.givenUp }).toEqual({ status: 'closed', givenUp: 1 });
  expect(log.map(({ message }) => message)).toContain(
    'the campaign is closing: it has 7 contributions, and shards that were given up lack 1',
  );
  return (await newest()).contributionIds;
}

describe('a shard that was given up', () => {
  it('is said to be, ends the waiting, and does not keep the campaign open', async () => {
    expect(await giveUpLast()).toHaveLength(SHARDS - 1);
  });

  it('closes no campaign that has others left, or wants more than shards can give', async () => {
    for (const contributions of [SHARDS, SHARDS + 1]) {
      await ledger.close();
      campaign.remove();
      await start({}, { closeAt: { contributions } });
      for (let seed = 1; seed < contributions - 1; seed++) await contribute(honest(seed));
      for (const seed of [60, 61, 62]) await contribute(noise(seed));
      await settle();
      expect(await stateOf()).toMatchObject({ status: 'open', shards: { givenUp: 1 } });
    }
  });
});

describe('the gate', () => {
  it('takes out who made the worst domain too bad, to the bit, and leaves the others in', async () => {
    await contribute(honest(1));
    await settle();
    const good = (await newest()).sha256;
    const bad = await contribute(flipped(2, 4));
    expect((await newest()).sha256).not.toBe(good);
    await settle();
    expect(await newest()).toMatchObject({ version: 3, sha256: good });
    expect(await rowOf(bad)).toMatchObject({
      held: [{ from: 2, to: 3 }],
      quarantined: { reason: 'worse-held-out', cosine: null },
    });
    expect((await rowOf(bad)).quarantined!.worstLoss).toBeGreaterThan(0.5);
    expect((await logged()).join()).toContain('contribution #2 is set aside until the campaign closes');
    expect(await verified()).toMatchObject({ contributions: 2, quarantined: 1, versions: 4 });
  });

  it('finds who it was among those that came together, and goes on with those that came meanwhile', async () => {
    await contribute(honest(1));
    await settle();
    const ids = [];
    for (const delta of [honest(2), flipped(3, 9), honest(4)]) ids.push(await contribute(delta, { fold: false }));
    await ledger.fold('test');
    const subject = { kind: 'version', version: 2 } as const;
    await ledger.recordEvaluation('test', subject, score((await ledger.subjectChange('test', subject)).values));
    await ledger.advance();
    // Compared with a mean that is bad, it is set aside; compared with the mended one, it comes in.
    const late = await contribute(honest(5));
    expect((await rowOf(late)).quarantined).toMatchObject({ reason: 'against-the-mean' });
    await settle();
    await ledger.fold('test');
    await settle();
    const last = await newest();
    expect(last.contributionIds).toHaveLength(4);
    expect(last.contributionIds).not.toContain(ids[1]);
    expect(last.contributionIds).toContain(late);
    expect(last.evaluation!.loss).toBeLessThan(0.5);
  });

  it('does not let in by its direction what a version held, wherever the mean goes', async () => {
    for (const seed of [1, 2]) await contribute(honest(seed));
    await settle();
    await contribute(honest(3), { fold: false });
    const bad = await contribute(flipped(4, 9));
    // Comes while the bad one rules, goes its way, and is still merged when that is taken out.
    const follower = await contribute(flipped(5, 9));
    const subject = { kind: 'version', version: 3 } as const;
    await ledger.recordEvaluation('test', subject, score((await ledger.subjectChange('test', subject)).values));
    await ledger.advance();
    await settle();
    expect(await rowOf(bad)).toMatchObject({
      held: [{ from: 3, to: 5 }],
      quarantined: { reason: 'against-the-mean' },
    });
    expect(await rowOf(follower)).toMatchObject({ held: [{ from: 4, to: 6 }] });
    expect((await newest()).contributionIds).toHaveLength(3);
    expect(await verified()).toMatchObject({ contributions: 5, quarantined: 2, pending: 0 });
  });

  it('a search that died with its server is taken up again, and what it evaluated is not evaluated again', async () => {
    await contribute(honest(1));
    await settle();
    for (const delta of [honest(2), honest(3), flipped(4, 12)]) await contribute(delta, { fold: false });
    await ledger.fold('test');
    let tried = 0;
    while (tried < 2) {
      const [subject] = await ledger.unevaluated('test');
      if (subject?.kind === 'trial') tried++;
      if (subject) {
        await ledger.recordEvaluation('test', subject, score((await ledger.subjectChange('test', subject)).values));
      }
      await ledger.advance();
      await setImmediate();
    }
    await ledger.close();
    await open();
    expect(await settle()).toBe(0);
    expect((await newest()).contributionIds).toHaveLength(3);
  });

  it('a campaign without screens takes everything', async () => {
    await ledger.close();
    campaign.remove();
    await start({ screens: null, scaleSearch: false });
    for (const delta of [honest(1), honest(2), honest(3), flipped(4, 3)]) {
      await contribute(delta);
      await settle();
    }
    expect(await newest()).toMatchObject({ version: 4 });
    expect((await newest()).contributionIds).toHaveLength(4);
  });
});

describe('the close', () => {
  it('judges everybody again: lets in who was kept out, leaves out who had slipped in, and settles', async () => {
    // Three of noise came first: whoever is honest has nothing in common with them.
    const early = [];
    for (const seed of [90, 91, 92]) early.push(await contribute(noise(seed)));
    const kept = [];
    for (const seed of [1, 2, 3, 4]) kept.push(await contribute(honest(seed)));
    await settle();
    expect((await newest()).contributionIds).toEqual(early);
    for (const id of kept) expect((await rowOf(id)).quarantined).not.toBeNull();
    await ledger.move('test', 'close');
    await settle();
    const last = await newest();
    expect(last.contributionIds).toEqual(kept);
    expect(last.evaluation!.loss).toBeLessThan(0.5);
    expect((await stateOf()).status).toBe('closed');
    expect((await logged())[0]).toMatch(
      /contributions #1, #2, #3 are left out; contributions #4, #6, #8, #10 are let in after all; scale [\d.]+; the campaign settles on version 4/,
    );
    expect(await verified()).toMatchObject({ contributions: 7, quarantined: 3, pending: 0, versions: 5 });
  });

  it('goes as far in the direction of the mean as held-out data bears, and publishes just that', async () => {
    for (const seed of [1, 2, 3]) await contribute(honest(seed));
    await settle(2);
    const before = await newest();
    await ledger.move('test', 'close');
    await settle(2);
    const last = await newest();
    expect(last).toMatchObject({ version: before.version + 1, scale: 2, contributionIds: before.contributionIds });
    const [half, whole] = await Promise.all(
      [before, last].map(({ version }) => ledger.subjectChange('test', { kind: 'version', version })),
    );
    expect(whole!.values).toEqual(half!.values.map((value) => 2 * value));
    expect(last.evaluation!.loss).toBeLessThan(before.evaluation!.loss);
    expect(await verified()).toMatchObject({ versions: before.version + 2 });
    // Exact also for what is withdrawn later: the scale stays.
    await ledger.withdraw(last.contributionIds[0]!);
    expect(await newest()).toMatchObject({ scale: 2 });
    expect(await verified()).toMatchObject({ withdrawn: 1 });
  });

  it('keeps the newest version when nothing is better, and a campaign without contributions closes', async () => {
    await ledger.move('test', 'close');
    await settle();
    expect((await stateOf()).status).toBe('closed');
    expect(await newest()).toMatchObject({ version: 0 });
  });

  it('begins anew when a contribution is withdrawn meanwhile, also one that is set aside', async () => {
    for (const seed of [1, 2, 3, 4]) await contribute(honest(seed));
    const aside = await contribute(noise(70));
    await settle();
    await ledger.move('test', 'close');
    await ledger.advance();
    await vi.waitFor(async () => expect((await ledger.unevaluated('test'))[0]).toMatchObject({ kind: 'trial' }));
    const { value } = await ledger.withdraw(aside);
    expect(value.version).toBeNull();
    await settle();
    expect((await stateOf()).status).toBe('closed');
    expect((await newest()).contributionIds).toHaveLength(4);
    expect(await verified()).toMatchObject({ contributions: 5, quarantined: 0, withdrawn: 1 });
  });
});

describe('on Postgres', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.remove());
  afterEach(() => {
    databaseUrl = undefined;
  });

  it('gives shards up as on SQLite', async () => {
    databaseUrl = await postgres.createDatabase();
    expect(await giveUpLast()).toHaveLength(SHARDS - 1);
  });

  it('sets aside, takes out, lets in and settles as on SQLite', async () => {
    await ledger.close();
    campaign.remove();
    databaseUrl = await postgres.createDatabase();
    await start();
    for (const seed of [1, 2, 3]) await contribute(honest(seed));
    await settle();
    const good = await newest();
    const aside = await contribute(noise(50));
    const bad = await contribute(flipped(4, 9));
    expect(await rowOf(aside)).toMatchObject({ quarantined: { reason: 'against-the-mean' } });
    await settle();
    await ledger.move('test', 'close');
    await settle();
    expect((await stateOf()).status).toBe('closed');
    expect((await newest()).contributionIds).toEqual(good.contributionIds);
    expect((await newest()).contributionIds).not.toContain(bad);
    expect(await verified()).toMatchObject({ contributions: 5, quarantined: 2, pending: 0 });
  });
});

describe('weights', () => {
  it.each([{ by: 'equal' as const }, { by: 'label-tokens' as const, clientCap: 12 }])(
    'are what the campaign says (%o), and a replay finds the same',
    async (weights) => {
      await ledger.close();
      campaign.remove();
      await start({ weights, screens: null, scaleSearch: false });
      const first = await joinLedger(ledger);
      await contributeTo(ledger, first, honest(1));
      await ledger.fold('test');
      await contributeTo(ledger, await joinLedger(ledger, { keys: first.keys }), honest(2));
      await contributeTo(ledger, await joinLedger(ledger), honest(3));
      await ledger.fold('test');
      expect(await verified()).toMatchObject({ contributions: 3, versions: 3 });
      const { values } = await ledger.subjectChange('test', { kind: 'version', version: 2 });
      const deltas = [honest(1), honest(2), honest(3)];
      const { shards } = ledger.definition('test');
      const tokens = shards.slice(0, 3).map(({ labelTokens }) => labelTokens);
      const shares = weights.by === 'equal' ? [1, 1, 1] : capped(tokens, 12);
      const total = shares.reduce((sum, share) => sum + share, 0);
      for (let i = 0; i < values.length; i += 997) {
        const mean = deltas.reduce((sum, delta, k) => sum + (shares[k]! * delta[i]!) / total, 0);
        expect(Math.abs(values[i]! - mean)).toBeLessThan(1e-6);
      }
      const { contributions } = await stateOf();
      await ledger.withdraw(contributions[0]!.contributionId);
      expect(await verified()).toMatchObject({ withdrawn: 1, versions: 4 });
    },
  );
});

it('tries every merge at the weights at which it would be published, where the share of a client is capped', async () => {
  await ledger.close();
  campaign.remove();
  const weights = { by: 'label-tokens' as const, clientCap: 12 };
  await start({ weights, scaleSearch: false });
  const greedy = await joinLedger(ledger);
  const { keys } = greedy;
  const deltas = new Map<string, Float32Array>();
  const send = async (volunteer: typeof greedy, delta: Float32Array) => {
    const { contributionId } = await contributeTo(ledger, volunteer, delta);
    deltas.set(contributionId, delta);
    return contributionId;
  };
  await send(greedy, honest(1));
  await ledger.fold('test');
  await settle();
  // Of the two that come together one is bad; without it, whoever sent it has the whole share for what was good.
  const bad = await send(await joinLedger(ledger, { keys }), flipped(2, 6));
  await send(await joinLedger(ledger), honest(3));
  await ledger.fold('test');
  const { contributions } = await stateOf();
  const { weightScale } = ledger.definition('test').manifest;
  const expected = new Map<string, Float32Array>();
  for (let set = 1; set < 2 ** contributions.length; set++) {
    const members = contributions.filter((_, i) => (set >> i) & 1);
    const fold = new ExactFold(sizeOf());
    contributionWeights(weights, members, weightScale).forEach((weight, i) =>
      fold.add(deltas.get(members[i]!.contributionId)!, weight),
    );
    expected.set(await trialKey(members.map(({ contributionId }) => contributionId)), fold.mean());
  }
  let tried = 0;
  const look = (subject: EvaluationSubject, values: Float32Array) => {
    if (subject.kind !== 'trial') return;
    tried++;
    expect(isDeepStrictEqual(values, expected.get(subject.key))).toBe(true);
  };
  await settle(1, look);
  expect(tried).toBe(2);
  expect((await rowOf(bad)).quarantined).not.toBeNull();
  await ledger.move('test', 'close');
  await settle(1, look);
  expect((await newest()).contributionIds).not.toContain(bad);
  expect(await verified()).toMatchObject({ contributions: 3, quarantined: 1 });
});

describe('verify', () => {
  it('names a verdict that was changed or dropped, and a version that holds what was set aside', async () => {
    for (const seed of [1, 2, 3]) await contribute(honest(seed));
    const aside = await contribute(noise(50));
    for (const statement of ['update verdicts set cosine = 1', 'delete from verdicts']) {
      expect(() => writeTo(campaign.dataDir, statement)).toThrow('the ledger is append-only');
    }
    tamper(`update contributions set folded_version = 3 where contribution_id = '${aside}'`);
    await expect(verified()).rejects.toThrow(`(${aside}): is in version 3, but was set aside`);
    tamper(`update contributions set folded_version = null where contribution_id = '${aside}'`);
    await verified();
    tamper('update verdicts set cosine = cosine + 1');
    await expect(verified()).rejects.toThrow(`row #5, the verdict on ${aside}: the hash of the row should be`);
    tamper('delete from verdicts');
    await expect(verified()).rejects.toThrow('campaign test: end of the chain: the hash of the row should be');
  });

  it('names a version with another scale', async () => {
    await contribute(honest(1));
    writeTo(campaign.dataDir, 'update versions set scale = 2 where version = 1');
    await expect(verified()).rejects.toThrow('version 1: the SHA-256 of the adapter should be');
  });
});

/** The first two are one client's. */
function capped([a, b, c]: readonly number[], cap: number): number[] {
  const factor = Math.min(1, cap / (a! + b!));
  return [a! * factor, b! * factor, Math.min(c!, cap)];
}
