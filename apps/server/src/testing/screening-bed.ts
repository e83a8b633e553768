/**
 * A campaign with screens on a ledger, and a held-out set in miniature: loss is the distance to an adapter that is best.
 * Honest clients move towards that, each in its own way.
 */
import { setImmediate } from 'node:timers/promises';
import { contributionsIn, SeededRandom, type EvaluationResult } from '@oneround/fl-core';
import { afterEach, beforeEach, vi } from 'vitest';
import { Ledger } from '../ledger/ledger.ts';
import type { EvaluationSubject } from '../ledger/scoring.ts';
import { verifyDatabase, verifyDataDir } from '../ledger/verify.ts';
import { collect } from './collect.ts';
import { contributeTo, joinLedger } from './ledger-volunteer.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from './test-campaign.ts';

export const SHARDS = 8;

/** What a test has in hand. */
interface Bed {
  campaign: TestCampaign;
  ledger: Ledger;
  /** Set where the ledger lies in Postgres from the next `restart` on. */
  databaseUrl: string | undefined;
}

/** Makes the campaign anew before each test of a file; all of it goes after each. */
export function screeningBed() {
  const on = {} as Bed;

  async function start(merge: object = {}, terms: object = {}): Promise<void> {
    const screens = { warmUp: 3, tolerance: 0.5 };
    on.campaign = makeTestCampaign(
      {
        adapter: smallAdapter,
        merge: { weights: { by: 'label-tokens' }, screens, scaleSearch: true, ...merge },
        terms: { draft: false, private: false, clientsPerShard: 1, closeAt: {}, ...terms },
      },
      { shards: SHARDS },
    );
    await open();
    await on.ledger.addCampaign(on.campaign.file);
  }

  async function end(): Promise<void> {
    await on.ledger.close();
    on.campaign.remove();
  }

  /** The ledger that is there, again. */
  async function open(): Promise<void> {
    on.ledger = await Ledger.open({ dataDir: on.campaign.dataDir, databaseUrl: on.databaseUrl });
    await vi.waitUntil(async () => (await on.ledger.catchUp()).leads);
  }

  /** Another campaign in place of the one that is there, with other settings. */
  async function restart(merge?: object, terms?: object): Promise<void> {
    await end();
    await start(merge, terms);
  }

  beforeEach(() => start());
  afterEach(async () => {
    await end();
    on.databaseUrl = undefined;
  });

  const sizeOf = () => on.ledger.definition('test').manifest.layout.size;

  /** What every honest client moves towards, in its own way. */
  function honest(seed: number): Float32Array {
    const own = new SeededRandom(seed);
    const shared = new SeededRandom(7);
    return Float32Array.from(
      { length: sizeOf() },
      () => 0.1 * (shared.nextUnit() - 0.5 + 0.5 * (own.nextUnit() - 0.5)),
    );
  }

  const flipped = (seed: number, factor = 1) => honest(seed).map((value) => -factor * value);

  function noise(seed: number): Float32Array {
    const random = new SeededRandom(seed);
    return Float32Array.from({ length: sizeOf() }, () => 0.1 * (random.nextUnit() - 0.5));
  }

  /** Evaluates whatever the ledger wants evaluated, and lets it judge, until neither has anything left to do. */
  async function settle(
    reach = 1,
    look: (subject: EvaluationSubject, values: Float32Array) => void = () => undefined,
  ): Promise<number> {
    let trials = 0;
    for (;;) {
      const [subject] = await on.ledger.unevaluated('test');
      if (subject) {
        if (subject.kind === 'trial') trials++;
        const { values } = await on.ledger.subjectChange('test', subject);
        look(subject, values);
        await on.ledger.recordEvaluation('test', subject, score(values, reach));
      }
      const outcomes = await on.ledger.advance();
      for (const { failure } of outcomes) if (failure !== undefined) throw new Error(failure);
      // A search goes on between calls.
      await setImmediate();
      if (!subject && outcomes.length === 0) return trials;
    }
  }

  async function contribute(delta: Float32Array, { fold = true } = {}): Promise<string> {
    const { contributionId } = await contributeTo(on.ledger, await joinLedger(on.ledger), delta);
    if (fold) await on.ledger.fold('test');
    return contributionId;
  }

  const stateOf = () => on.ledger.state('test');

  /** The newest version, with what it holds. */
  async function newest() {
    const { versions, contributions } = await stateOf();
    const version = versions.at(-1)!;
    const contributionIds = contributionsIn(version.version, contributions).map(({ contributionId }) => contributionId);
    return { ...version, contributionIds };
  }

  const rowOf = async (id: string) => (await stateOf()).contributions.find((row) => row.contributionId === id)!;
  const logged = async () =>
    (await stateOf()).log.flatMap(({ kind, message }) => (kind === 'screened' ? [message] : []));

  async function verified() {
    const reports = on.databaseUrl
      ? verifyDatabase(on.databaseUrl, 'test')
      : verifyDataDir(on.campaign.dataDir, 'test');
    return (await collect(reports))[0];
  }

  return {
    ...{ on, open, restart, sizeOf, honest, flipped, noise },
    ...{ settle, contribute, stateOf, newest, rowOf, logged, verified },
  };
}

/** Least at `reach` times the shared direction; 1 at the start. */
export function score(values: Float32Array, reach = 1): EvaluationResult {
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
