/** The screens at work on a ledger: on arrival, at the gate, and as `verify` reads what they decided. */
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tamperWith, writeTo } from '../testing/ledger-file.ts';
import { contributeTo, joinLedger } from '../testing/ledger-volunteer.ts';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { score, screeningBed } from '../testing/screening-bed.ts';

const { on, open, restart, honest, flipped, noise, settle, contribute, stateOf, newest, rowOf, logged, verified } =
  screeningBed();

describe('on arrival', () => {
  it('sets aside what has nothing in common with what was merged, keeps it, and gives its shard out again', async () => {
    for (const seed of [1, 2, 3]) await contribute(honest(seed));
    const { lease } = await joinLedger(on.ledger);
    await on.ledger.leave(lease.leaseId);
    const volunteer = await joinLedger(on.ledger);
    const receipt = await contributeTo(on.ledger, volunteer, noise(50));
    expect(receipt).toMatchObject({ sequence: 4, repeated: false, quarantined: true });
    expect((await on.ledger.finishUpload(receipt.contributionId)).value).toMatchObject({
      repeated: true,
      quarantined: true,
    });
    expect(await on.ledger.fold('test')).toBeNull();
    expect(await rowOf(receipt.contributionId)).toMatchObject({
      foldedVersion: null,
      held: [],
      quarantined: { reason: 'against-the-mean', worstLoss: null },
    });
    const next = await joinLedger(on.ledger);
    expect(next.lease.shard).toMatchObject({ index: volunteer.lease.shard!.index });
    const other = await joinLedger(on.ledger);
    await expect(contributeTo(on.ledger, other, noise(50))).rejects.toMatchObject({ code: 'duplicate' });
    expect(await verified()).toMatchObject({ contributions: 4, quarantined: 1, pending: 0 });
  });

  it('gives a shard out again only so often', async () => {
    for (const seed of [1, 2, 3]) await contribute(honest(seed));
    const shards: number[] = [];
    for (let seed = 60; seed < 64; seed++) {
      const volunteer = await joinLedger(on.ledger);
      shards.push(volunteer.lease.shard!.index);
      await contributeTo(on.ledger, volunteer, noise(seed));
    }
    expect(shards).toEqual([3, 3, 3, 4]);
  });

  it('lets everything in while too few are merged to compare with', async () => {
    await contribute(noise(50));
    expect((await newest()).contributionIds).toHaveLength(1);
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
    await on.ledger.fold('test');
    const subject = { kind: 'version', version: 2 } as const;
    await on.ledger.recordEvaluation('test', subject, score((await on.ledger.subjectChange('test', subject)).values));
    await on.ledger.advance();
    // Compared with a mean that is bad, it is set aside; compared with the mended one, it comes in.
    const late = await contribute(honest(5));
    expect((await rowOf(late)).quarantined).toMatchObject({ reason: 'against-the-mean' });
    await settle();
    await on.ledger.fold('test');
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
    await on.ledger.recordEvaluation('test', subject, score((await on.ledger.subjectChange('test', subject)).values));
    await on.ledger.advance();
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
    await on.ledger.fold('test');
    let tried = 0;
    while (tried < 2) {
      const [subject] = await on.ledger.unevaluated('test');
      if (subject?.kind === 'trial') tried++;
      if (subject) {
        await on.ledger.recordEvaluation(
          'test',
          subject,
          score((await on.ledger.subjectChange('test', subject)).values),
        );
      }
      await on.ledger.advance();
      await setImmediate();
    }
    await on.ledger.close();
    await open();
    expect(await settle()).toBe(0);
    expect((await newest()).contributionIds).toHaveLength(3);
  });

  it('a campaign without screens takes everything', async () => {
    await restart({ screens: null, scaleSearch: false });
    for (const delta of [honest(1), honest(2), honest(3), flipped(4, 3)]) {
      await contribute(delta);
      await settle();
    }
    expect(await newest()).toMatchObject({ version: 4 });
    expect((await newest()).contributionIds).toHaveLength(4);
  });
});

describe('on Postgres', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.remove());

  it('sets aside, takes out, lets in and settles as on SQLite', async () => {
    on.databaseUrl = await postgres.createDatabase();
    await restart();
    for (const seed of [1, 2, 3]) await contribute(honest(seed));
    await settle();
    const good = await newest();
    const aside = await contribute(noise(50));
    const bad = await contribute(flipped(4, 9));
    expect(await rowOf(aside)).toMatchObject({ quarantined: { reason: 'against-the-mean' } });
    await settle();
    await on.ledger.move('test', 'close');
    await settle();
    expect((await stateOf()).status).toBe('closed');
    expect((await newest()).contributionIds).toEqual(good.contributionIds);
    expect((await newest()).contributionIds).not.toContain(bad);
    expect(await verified()).toMatchObject({ contributions: 5, quarantined: 2, pending: 0 });
  });
});

const tamper = (statement: string) => tamperWith(on.campaign.dataDir, statement);

describe('verify', () => {
  it('names a verdict that was changed or dropped, and a version that holds what was set aside', async () => {
    for (const seed of [1, 2, 3]) await contribute(honest(seed));
    const aside = await contribute(noise(50));
    for (const statement of ['update verdicts set cosine = 1', 'delete from verdicts']) {
      expect(() => writeTo(on.campaign.dataDir, statement)).toThrow('the ledger is append-only');
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
    writeTo(on.campaign.dataDir, 'update versions set scale = 2 where version = 1');
    await expect(verified()).rejects.toThrow('version 1: the SHA-256 of the adapter should be');
  });
});
