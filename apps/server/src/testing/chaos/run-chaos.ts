/** Volunteers contribute while something goes wrong; then what was acknowledged is held against what is published. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  contributionsIn,
  decodeDelta,
  encodeDelta,
  SeededRandom,
  type CampaignState,
  type Contribution,
  type Manifest,
} from '@oneround/fl-core';
import { seededDelta } from '../test-client.ts';
import { integerMean } from './integer-fold.ts';
import { StubbornVolunteer, type Toll } from './stubborn-volunteer.ts';

const SETTLE_LIMIT_MS = 60_000;
const POLL_MS = 100;

export interface ChaosOptions {
  /** The servers of the campaign "test"; each connection goes to one of them at random. */
  urls: readonly string[];
  volunteers: number;
  seed: number;
  /** What goes wrong. Volunteers go on until it resolves, then finish what they began; the servers must serve by then. */
  faults: () => Promise<void>;
  /** 8 KiB unless told. */
  chunkBytes?: number;
  /** After this long without an answer a volunteer turns elsewhere; 5 s unless told. */
  ackTimeoutMs?: number;
}

export interface ChaosReport extends Toll {
  acknowledged: number;
  /** Acknowledged, and not in the newest version. */
  lost: number;
  /** In the newest version, and acknowledged to nobody. */
  unknown: number;
  /** Label tokens that were acknowledged, and those that the newest version says it holds. */
  labelTokens: { acknowledged: number; published: number };
  versions: number;
  /** SHA-256 of the newest version: as it is published, and folded here from what volunteers hold, in shuffled order. */
  sha256: { published: string; replayed: string };
  /** Bytes sent more than once, as a share of the bytes of all deltas. */
  resentShare: number;
}

/** Runs volunteers against the servers until the faults are over and every contribution is folded. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { urls, seed, faults, chunkBytes = 8192, ackTimeoutMs = 5000 } = options;
  const random = new SeededRandom(seed);
  const volunteers = Array.from(
    { length: options.volunteers },
    () => new StubbornVolunteer({ urls, seed: random.nextUint32(), chunkBytes, ackTimeoutMs }),
  );
  const stop = new AbortController();
  const contributing = volunteers.map((volunteer) => volunteer.contributeUntil(stop.signal));
  await Promise.race([faults(), neverUnlessRejected(contributing)]);
  stop.abort();
  await Promise.all(contributing);

  const acknowledged = random.shuffled(volunteers.flatMap((volunteer) => volunteer.acknowledged));
  const { versions, newest, held } = await settled(urls[0]!, acknowledged.length);
  const manifest = await json<Manifest>(`${urls[0]!}/v1/campaigns/test`);
  const { layout, upload, weightScale } = manifest;
  const replayed = integerMean(
    layout.size,
    acknowledged.map(({ labelTokens, seed: deltaSeed }) => ({
      delta: decodeDelta(encodeDelta(seededDelta(layout.size, deltaSeed), upload.codec), {
        size: layout.size,
        codec: upload.codec,
      }),
      weight: labelTokens * weightScale,
    })),
  );
  const folded = new Set(held);
  const promised = new Set(acknowledged.map(({ contributionId }) => contributionId));
  const toll = sumOf(volunteers.map((volunteer) => volunteer.toll));
  return {
    ...toll,
    acknowledged: acknowledged.length,
    lost: [...promised].filter((id) => !folded.has(id)).length,
    unknown: held.filter((id) => !promised.has(id)).length,
    labelTokens: {
      acknowledged: acknowledged.reduce((sum, { labelTokens }) => sum + labelTokens, 0),
      published: newest.labelTokens,
    },
    versions,
    sha256: {
      published: newest.sha256,
      replayed: createHash('sha256').update(new Uint8Array(replayed.buffer)).digest('hex'),
    },
    resentShare: toll.sentBytes / (acknowledged.length * upload.bytes) - 1,
  };
}

/** Every promise that was broken, a sentence each; nothing when all held. */
export function harmDone(report: ChaosReport): string[] {
  const { acknowledged, lost, unknown, labelTokens, sha256, rewound, lostLeases } = report;
  const harm: [boolean, string][] = [
    [acknowledged === 0, 'nothing was acknowledged, so nothing is proved'],
    [lost > 0, `${lost} acknowledged contributions are in no version`],
    [unknown > 0, `${unknown} contributions are in a version and were acknowledged to nobody`],
    [
      labelTokens.acknowledged !== labelTokens.published,
      `${labelTokens.acknowledged} label tokens were acknowledged, ${labelTokens.published} folded`,
    ],
    [sha256.published !== sha256.replayed, `published ${sha256.published}, replayed ${sha256.replayed}`],
    [rewound > 0, `${rewound} uploads went on from before what had been acknowledged`],
    [lostLeases > 0, `${lostLeases} leases were lost`],
  ];
  return harm.flatMap(([isDone, sentence]) => (isDone ? [sentence] : []));
}

/** Waits until nothing is left to fold. */
async function settled(url: string, contributions: number) {
  const deadline = performance.now() + SETTLE_LIMIT_MS;
  for (;;) {
    const { versions, totals } = await json<CampaignState>(`${url}/v1/campaigns/test/state`);
    const newest = versions.at(-1)!;
    if (totals.merged >= contributions || performance.now() > deadline) {
      const held = contributionsIn(newest.version, await allContributions(url));
      return { versions: totals.versions, newest, held: held.map(({ contributionId }) => contributionId) };
    }
    await sleep(POLL_MS);
  }
}

async function allContributions(url: string): Promise<Contribution[]> {
  const all: Contribution[] = [];
  for (;;) {
    const page = `${url}/v1/campaigns/test/contributions?after=${all.at(-1)?.sequence ?? 0}`;
    const { contributions } = await json<{ contributions: Contribution[] }>(page);
    if (contributions.length === 0) return all;
    all.push(...contributions);
  }
}

async function json<Value>(url: string): Promise<Value> {
  return (await (await fetch(url)).json()) as Value;
}

/** Rejects as the first of them does; a volunteer that ends well says nothing about the faults. */
function neverUnlessRejected(promises: readonly Promise<void>[]): Promise<never> {
  return new Promise((_resolve, reject) => {
    for (const promise of promises) promise.catch(reject);
  });
}

function sumOf(tolls: readonly Toll[]): Toll {
  const sum = { ...tolls[0]! };
  for (const toll of tolls.slice(1)) for (const name of Object.keys(toll) as (keyof Toll)[]) sum[name] += toll[name];
  return sum;
}
