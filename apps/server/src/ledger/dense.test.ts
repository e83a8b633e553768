/** A campaign whose clients train A and B, merged exactly: its versions are mean updates of whole weights. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { contributionsIn, type EvaluationResult, mergeSettingsSchema } from '@oneround/fl-core';
import { adaptedModules, adapterFactors, DISCARDED_ENERGY, importPeft, mergeAdapter } from '@oneround/lora/adapter';
import { parseModelConfig } from '@oneround/lora/architecture';
import { safetensorsHeaderOf } from '@oneround/lora/checkpoint';
import { relativeError } from '@oneround/lora/testing';
import { afterEach, beforeEach, describe, expect, it, type Mock, vi } from 'vitest';
import { defaultCampaign } from '../cli/defaults.ts';
import { type Exporting, startExporting } from '../exporting/index.ts';
import { contributeTo, joinLedger } from '../testing/ledger-volunteer.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { seededDelta } from '../testing/test-client.ts';
import { Ledger, type LedgerOptions } from './ledger.ts';
import { verifyDataDir } from './verify.ts';

const tiny = resolve(defaultCampaign, '../../../models/tiny/config.json');
const config = parseModelConfig(JSON.parse(readFileSync(tiny, 'utf8')));
const spec = { ...smallAdapter, rank: 4, targetModules: ['q_proj', 'v_proj'], trains: 'a-and-b' as const };
const modules = adaptedModules(config, spec);
const updateSize = modules.reduce((sum, { in: inputs, out }) => sum + inputs * out, 0);

let campaign: TestCampaign;
let ledger: Ledger;

async function open(merge: object = { screens: null, scaleSearch: false }): Promise<void> {
  campaign = makeTestCampaign({ adapter: spec, merge: mergeSettingsSchema.parse(merge) }, { records: 24, shards: 6 });
  await reopen();
  await ledger.addCampaign(campaign.file);
}

async function reopen(options: Partial<LedgerOptions> = {}): Promise<void> {
  ledger = await Ledger.open({ dataDir: campaign.dataDir, ...options });
}

beforeEach(() => open());

afterEach(async () => {
  await ledger.close();
  campaign.remove();
});

const sizeOf = () => ledger.definition('test').manifest.layout.size;

async function contribute(
  delta: Float32Array,
): Promise<{ contributionId: string; delta: Float32Array; weight: number }> {
  const volunteer = await joinLedger(ledger);
  const { contributionId } = await contributeTo(ledger, volunteer, delta);
  return { contributionId, delta, weight: volunteer.lease.maxLabelTokens };
}

/** `scale B A` of what a delta makes of the published start, in the plainest way. */
function updateOf(delta: Float32Array): Float64Array {
  const { a, values: b } = adapterFactors(config, spec, delta);
  const update = new Float64Array(updateSize);
  let [row, atB] = [0, 0];
  modules.forEach(({ in: inputs, out, rank, scale }, index) => {
    for (let o = 0; o < out; o++, row += inputs) {
      for (let r = 0; r < rank; r++, atB++) {
        for (let i = 0; i < inputs; i++) update[row + i]! += scale * b[atB]! * a[index]![r * inputs + i]!;
      }
    }
  });
  return update;
}

function meanUpdate(parts: readonly { delta: Float32Array; weight: number }[]): Float64Array {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const mean = new Float64Array(updateSize);
  for (const { delta, weight } of parts) updateOf(delta).forEach((value, i) => (mean[i]! += (weight / total) * value));
  return mean;
}

const newest = async () => (await ledger.state('test')).versions.at(-1)!;
const hashOf = (values: Float32Array) => createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex');
const changeOf = (version: number) => ledger.subjectChange('test', { kind: 'version', version });

async function verified() {
  for await (const report of verifyDataDir(campaign.dataDir, 'test')) return report;
  throw new Error('nothing was verified');
}

/** What the exported adapter adds to weights of zero. */
function updateOfExport(files: { adapterConfig: Uint8Array; adapterModel: Uint8Array }): Float32Array {
  const json: unknown = JSON.parse(new TextDecoder().decode(files.adapterConfig));
  const merge = mergeAdapter(config, importPeft(config, json, files.adapterModel));
  const merged = modules.map(({ name, in: inputs, out }) => merge(`${name}.weight`, new Float32Array(out * inputs)));
  return Float32Array.from(merged.flatMap((values) => [...values]));
}

function discarded(file: Uint8Array): number {
  return Number(safetensorsHeaderOf(file).metadata[DISCARDED_ENERGY]);
}

function honest(seed: number): Float32Array {
  const own = seededDelta(sizeOf(), 60 + seed);
  return seededDelta(sizeOf(), 50).map((value, i) => value + 0.2 * own[i]!);
}

/** Least at the update of `honest(0)`; 1 at the start. */
function scorer(): (update: ArrayLike<number>) => EvaluationResult {
  const best = updateOf(honest(0));
  return (update) => {
    const loss = 0.2 + 0.8 * relativeError(update, best) ** 2;
    return { loss, accuracy: 0, examples: 8, domains: {} };
  };
}

describe('a campaign that merges densely', () => {
  it('is what a campaign is whose clients train A and B, unless told otherwise', () => {
    const { merge, layout } = ledger.definition('test').manifest;
    expect(merge.rule).toBe('dense');
    expect(layout.size).toBeLessThan(updateSize);
  });

  it('has the mean of updates as its version, to the bit the same without what was withdrawn', async () => {
    const made = [];
    for (const seed of [1, 2, 3]) made.push(await contribute(seededDelta(sizeOf(), seed)));
    await ledger.fold('test');
    const { kind, values } = await changeOf(1);
    expect(kind).toBe('update');
    expect(relativeError(values, meanUpdate(made))).toBeLessThan(1e-6);
    const published = await newest();
    expect(published).toMatchObject({ sha256: hashOf(values), exportSha256: null });

    await ledger.withdraw(made[1]!.contributionId);
    const without = await newest();
    expect(relativeError((await changeOf(2)).values, meanUpdate([made[0]!, made[2]!]))).toBeLessThan(1e-6);
    await contribute(made[1]!.delta.map((value) => value + 1e-3));
    await ledger.fold('test');
    const { contributions } = await ledger.state('test');
    await ledger.withdraw(contributionsIn((await newest()).version, contributions).at(-1)!.contributionId);
    expect((await newest()).sha256).toBe(without.sha256);
    expect(await verified()).toMatchObject({ contributions: 4, withdrawn: 2, versions: 5 });
  });

  it('goes on after a restart, from a stored sum, with the same bits', async () => {
    await ledger.close();
    await reopen({ snapshots: { everyMerges: 1, keep: 1 } });
    await contribute(seededDelta(sizeOf(), 1));
    await ledger.fold('test');
    await ledger.close();
    await reopen();
    const last = await contribute(seededDelta(sizeOf(), 2));
    await ledger.fold('test');
    expect(await verified()).toMatchObject({ versions: 3 });
    expect(hashOf((await changeOf(2)).values)).toBe((await newest()).sha256);
    await ledger.withdraw(last.contributionId);
    expect((await newest()).sha256).toBe(hashOf((await changeOf(1)).values));
  });

  it('scores a contribution alone as the adapter that it is', async () => {
    const { contributionId, delta } = await contribute(seededDelta(sizeOf(), 1));
    const change = await ledger.subjectChange('test', { kind: 'contribution', contributionId, sequence: 1 });
    expect(change).toEqual({ kind: 'adapter', values: delta });
  });

  it('refuses what it cannot add, and an old version that would take too long', async () => {
    await expect(contribute(seededDelta(sizeOf(), 1).with(3, Number.NaN))).rejects.toMatchObject({
      code: 'not_finite',
    });
    await ledger.close();
    // Of four contributions one can be added up: a term costs more than it has values.
    await reopen({ snapshots: { everyMerges: 100, replayLimit: 2 * updateSize } });
    for (const seed of [1, 2, 3, 4]) {
      await contribute(seededDelta(sizeOf(), seed));
      await ledger.fold('test');
    }
    await expect(ledger.exportVersion('test', 2)).rejects.toMatchObject({ code: 'version_archived' });
    expect(await ledger.exportVersion('test', 1)).toHaveProperty('update');
    expect(hashOf((await changeOf(2)).values)).toBe((await ledger.version('test', 2)).sha256);
  });
});

describe('its export', () => {
  let asked: Mock<Ledger['exportVersion']>;
  let exporting: Exporting;

  beforeEach(() => {
    asked = vi.fn((id: string, version: number) => ledger.exportVersion(id, version));
    exporting = startExporting({
      exportable: (id: string, version?: number) => ledger.exportable(id, version),
      exportVersion: asked,
    });
  });

  afterEach(() => exporting.stop());

  it('is the version at the rank of the adapter, says what that left out, and is made once', async () => {
    const first = await contribute(seededDelta(sizeOf(), 1));
    await ledger.fold('test');
    const one = await exporting.exportVersion('test');
    expect(one.version).toBe(1);
    expect(relativeError(updateOfExport(one), updateOf(first.delta))).toBeLessThan(1e-5);
    expect(discarded(one.adapterModel)).toBeLessThan(1e-8);

    const second = await contribute(seededDelta(sizeOf(), 2));
    await ledger.fold('test');
    const [two, again, old] = await Promise.all([
      exporting.exportVersion('test'),
      exporting.exportVersion('test', 2),
      exporting.exportVersion('test', 1),
    ]);
    const mean = meanUpdate([first, second]);
    const rest = relativeError(updateOfExport(two!), mean) ** 2;
    expect(rest).toBeGreaterThan(1e-3);
    expect(discarded(two!.adapterModel)).toBeCloseTo(rest, 3);
    expect([again!.adapterModel, old!.adapterModel]).toEqual([two!.adapterModel, one.adapterModel]);
    expect(asked).toHaveBeenCalledTimes(2);
    expect(updateOfExport(await exporting.exportVersion('test', 0)).every((value) => value === 0)).toBe(true);
    await expect(exporting.exportVersion('test', 9)).rejects.toMatchObject({ code: 'unknown_version' });
  });

  it('is made one at a time, each of an update that is fetched when its turn comes', async () => {
    await contribute(seededDelta(sizeOf(), 1));
    await ledger.fold('test');
    const made: number[] = [];
    const madeBefore: number[][] = [];
    asked.mockImplementation(async (id, version) => {
      await setImmediate();
      madeBefore.push([...made]);
      return ledger.exportVersion(id, version);
    });
    await Promise.all(
      [0, 1].map(async (version) => made.push((await exporting.exportVersion('test', version)).version)),
    );
    expect(madeBefore).toEqual([[], [0]]);
  });

  it('is made also after one that failed', async () => {
    asked.mockRejectedValueOnce(new Error('the disk is gone'));
    await expect(exporting.exportVersion('test', 0)).rejects.toThrow('the disk is gone');
    expect(await exporting.exportVersion('test', 0)).toMatchObject({ version: 0 });
  });

  it('starts no thread once it was stopped', async () => {
    const [exported] = await Promise.allSettled([exporting.exportVersion('test', 0), exporting.stop()]);
    expect(exported).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
  });

  it('is its campaign’s own, also where another has the same update', async () => {
    const other = makeTestCampaign({ id: 'other', adapter: { ...spec, alpha: 2 * spec.alpha } }, { shards: 6 });
    await ledger.addCampaign(other.file);
    other.remove();
    const [starts, folders] = await Promise.all([
      Promise.all(['test', 'other'].map((id) => ledger.version(id, 0))),
      Promise.all(['test', 'other'].map((id) => exporting.exportVersion(id, 0))),
    ]);
    expect(starts[0]!.sha256).toBe(starts[1]!.sha256);
    const alphas = folders.map(({ adapterConfig }) => JSON.parse(new TextDecoder().decode(adapterConfig)).lora_alpha);
    expect(alphas).toEqual([spec.alpha, 2 * spec.alpha]);
  });
});

describe('its screens', () => {
  const sizeOfB = modules.reduce((sum, { out, rank }) => sum + out * rank, 0);
  const scaledB = (delta: Float32Array, factor: number) =>
    delta.map((value, i) => (i < sizeOfB ? factor * value : value));

  it('compare updates, and settle at the scale that held-out data ask for', async () => {
    await ledger.close();
    campaign.remove();
    await open({ screens: { warmUp: 2, tolerance: 0.5 }, scaleSearch: true });
    for (const seed of [1, 2]) await contribute(scaledB(honest(seed), 0.5));
    await ledger.fold('test');
    // The same A, the other direction of B: against the mean as an update.
    const hostile = await contribute(scaledB(honest(3), -1));
    const { contributions } = await ledger.state('test');
    expect(contributions.find((row) => row.contributionId === hostile.contributionId)!.quarantined).toMatchObject({
      reason: 'against-the-mean',
    });
    await ledger.move('test', 'close');
    const score = scorer();
    const kinds = new Set<string>();
    for (;;) {
      const [subject] = await ledger.unevaluated('test');
      if (subject) {
        const { kind, values } = await ledger.subjectChange('test', subject);
        kinds.add(`${subject.kind} ${kind}`);
        await ledger.recordEvaluation('test', subject, score(kind === 'update' ? values : updateOf(values)));
      }
      const outcomes = await ledger.advance();
      for (const { failure } of outcomes) if (failure !== undefined) throw new Error(failure);
      await setImmediate();
      if (!subject && outcomes.length === 0) break;
    }
    expect(kinds).toEqual(new Set(['version update', 'trial update', 'contribution adapter']));
    const { versions, contributions: settled } = await ledger.state('test');
    expect(versions.at(-1)!.scale).toBe(2);
    expect(contributionsIn(versions.at(-1)!.version, settled)).toHaveLength(2);
    expect(await verified()).toMatchObject({ quarantined: 1 });
  });
});
