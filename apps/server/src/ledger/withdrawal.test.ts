/** A contribution taken out again: to the bit as if it had never been, on the record, and its shard free. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { contributionsIn, ExactFold, SeededRandom } from '@oneround/fl-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collect } from '../testing/collect.ts';
import { exportedFiles } from '../testing/exported-files.ts';
import { tamperWith, writeTo } from '../testing/ledger-file.ts';
import { contributeTo, deltaFor, joinLedger } from '../testing/ledger-volunteer.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { Ledger } from './ledger.ts';
import { verifyDataDir } from './verify.ts';

const SHARDS = 6;
let campaign: TestCampaign;
let ledger: Ledger;

beforeEach(async () => {
  campaign = makeTestCampaign({}, { records: 24, shards: SHARDS });
  ledger = await Ledger.open({ dataDir: campaign.dataDir });
  await ledger.addCampaign(campaign.file);
});

afterEach(async () => {
  await ledger.close();
  campaign.remove();
});

interface Made {
  contributionId: string;
  delta: Float32Array;
  weight: number;
}

async function contribute(seed: number): Promise<Made> {
  const { weightScale } = ledger.definition('test').manifest;
  const volunteer = await joinLedger(ledger);
  const delta = deltaFor(ledger, seed);
  const { contributionId } = await contributeTo(ledger, volunteer, delta);
  return { contributionId, delta, weight: volunteer.lease.maxLabelTokens * weightScale };
}

/** SHA-256 of the adapter that holds these contributions and never held another. */
function adapterOf(made: readonly Made[]): string {
  const fold = new ExactFold(ledger.definition('test').manifest.layout.size);
  for (const { delta, weight } of made) fold.add(delta, weight);
  return createHash('sha256').update(new Uint8Array(fold.mean().buffer)).digest('hex');
}

const verified = async () => (await collect(verifyDataDir(campaign.dataDir, 'test')))[0];

const tamper = (statement: string) => tamperWith(campaign.dataDir, statement);

const heldBy = async (version: number) =>
  contributionsIn(version, await ledger.contributions('test')).map(({ contributionId }) => contributionId);
const newest = async () => (await ledger.state('test')).versions.at(-1)!;

describe('withdrawing', () => {
  it.each([1, 2, 3])('gives the bits of never having had them, in any order (seed %i)', async (seed) => {
    const random = new SeededRandom(seed);
    const made: Made[] = [];
    const gone = new Set<Made>();
    for (let i = 0; i < SHARDS; i++) {
      made.push(await contribute(100 * seed + i));
      if (random.nextInt(2) === 0) await ledger.fold('test');
      const victim = made[random.nextInt(made.length)]!;
      if (random.nextInt(2) === 1 || gone.has(victim)) continue;
      await ledger.withdraw(victim.contributionId);
      gone.add(victim);
    }
    const last = made.find((one) => !gone.has(one)) ?? made[0]!;
    if (!gone.has(last)) await ledger.withdraw(last.contributionId);
    gone.add(last);
    await ledger.fold('test');
    expect(gone.size).toBeGreaterThan(0);
    const kept = made.filter((one) => !gone.has(one));
    const version = await newest();
    expect(version.sha256).toBe(adapterOf(kept));
    expect(await heldBy(version.version)).toEqual(kept.map(({ contributionId }) => contributionId));
    expect(await verified()).toMatchObject({ withdrawn: gone.size, pending: 0 });

    // What is in memory is what another process would read.
    await ledger.close();
    ledger = await Ledger.open({ dataDir: campaign.dataDir });
    const more = await contribute(7);
    await ledger.fold('test');
    expect((await newest()).sha256).toBe(adapterOf([...kept, more]));
    await verified();
  });

  it('publishes no version for what no version held, and never folds it', async () => {
    const [first, second] = [await contribute(1), await contribute(2)];
    expect((await ledger.withdraw(second.contributionId)).value).toEqual({ campaignId: 'test', version: null });
    await ledger.fold('test');
    expect((await newest()).sha256).toBe(adapterOf([first]));
    const { contributions, versions } = await ledger.state('test');
    expect(versions).toHaveLength(2);
    expect(contributions[1]).toMatchObject({ foldedVersion: null, withdrawn: { version: null } });
    expect(await verified()).toMatchObject({ contributions: 2, withdrawn: 1, pending: 0 });
  });

  it('leaves older versions as they were published, and scores the contribution alone no more', async () => {
    const [first, second] = [await contribute(1), await contribute(2)];
    await ledger.fold('test');
    const before = await exportedFiles(ledger, 'test', 1);
    const outcome = await ledger.withdraw(first.contributionId);
    expect(outcome.value).toEqual({ campaignId: 'test', version: 2 });
    expect((await ledger.counts('test')).shards.contributed).toBe(1);
    const after = await exportedFiles(ledger, 'test', 1);
    expect(Buffer.compare(after.adapterModel, before.adapterModel)).toBe(0);
    expect([await heldBy(0), await heldBy(1), await heldBy(2)]).toEqual([
      [],
      [first.contributionId, second.contributionId],
      [second.contributionId],
    ]);
    const alone = (await ledger.unevaluated('test')).filter(({ kind }) => kind === 'contribution');
    expect(alone).toMatchObject([{ contributionId: second.contributionId }]);
  });

  it('refuses what is not there, and what was withdrawn before', async () => {
    const { contributionId } = await contribute(1);
    await ledger.fold('test');
    await ledger.withdraw(contributionId);
    const versions = (await ledger.state('test')).versions.length;
    await expect(ledger.withdraw(contributionId)).rejects.toMatchObject({ code: 'already_withdrawn' });
    await expect(ledger.withdraw(crypto.randomUUID())).rejects.toMatchObject({ code: 'unknown_contribution' });
    expect((await ledger.state('test')).versions).toHaveLength(versions);
    expect((await newest()).sha256).toBe(adapterOf([]));
  });

  it('frees the shard, for the very same bytes too', async () => {
    const all: Made[] = [];
    for (let i = 0; i < SHARDS; i++) all.push(await contribute(i + 1));
    await ledger.fold('test');
    await expect(joinLedger(ledger)).rejects.toMatchObject({ code: 'no_shard_left' });
    await ledger.withdraw(all[2]!.contributionId);
    const again = await joinLedger(ledger);
    expect(again.lease.shard!.index).toBe(2);
    await expect(contributeTo(ledger, again, all[0]!.delta)).rejects.toMatchObject({ code: 'duplicate' });
    await contributeTo(ledger, again, all[2]!.delta);
    await ledger.fold('test');
    expect((await newest()).sha256).toBe(adapterOf(all));
    expect(await verified()).toMatchObject({ contributions: SHARDS + 1, withdrawn: 1, versions: 4 });
  });
});

describe('oneround withdraw', () => {
  const program = resolve(import.meta.dirname, '../../bin/oneround.mjs');
  const contributions = ['campaign', 'contributions', 'test'];
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, [program, 'withdraw', ...args, '--data', campaign.dataDir]);

  it('says what will happen, and does it only when told', { timeout: 120_000 }, async () => {
    const { contributionId } = await contribute(1);
    await ledger.fold('test');
    const listed = await promisify(execFile)(process.execPath, [program, ...contributions, '--data', campaign.dataDir]);
    expect(listed.stdout).toContain(`#1  ${contributionId}  of `);
    await expect(run(contributionId)).rejects.toMatchObject({
      stdout: expect.stringMatching(/^Withdrawing contribution #1 of client [0-9a-f]{12} to "test" \(shard 0, /),
      stderr: 'oneround: Nobody is here to say yes to this; add --yes.\n',
    });
    expect((await run(contributionId, '--yes')).stdout).toContain('Withdrawn: version 2 is without it.');
    expect(await verified()).toMatchObject({ withdrawn: 1, versions: 3 });
  });
});

describe('verify', () => {
  it('names a withdrawal that was changed, or dropped', async () => {
    const { contributionId } = await contribute(1);
    await ledger.fold('test');
    await ledger.withdraw(contributionId);
    for (const statement of ['update withdrawals set version = 5', 'delete from withdrawals']) {
      expect(() => writeTo(campaign.dataDir, statement)).toThrow('the ledger is append-only');
    }
    tamper('update withdrawals set withdrawn_at = withdrawn_at + 1');
    await expect(verified()).rejects.toThrow(
      `campaign test: row #2, the withdrawal of ${contributionId}: the hash of the row should be`,
    );
    tamper('delete from withdrawals');
    await expect(verified()).rejects.toThrow('campaign test: end of the chain: the hash of the row should be');
    tamper('update campaigns set head_hash = (select row_hash from contributions), head_sequence = 1');
    await expect(verified()).rejects.toThrow(/version 2: the label tokens should be 0 but is \d+/);
  });
});
