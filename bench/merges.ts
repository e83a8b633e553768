/** A thousand merges (`--merges 100` for fewer), one version each: what the server keeps resident of them. `--warm-up 1000`: after so many. */
import { setTimeout as sleep } from 'node:timers/promises';
import { NEWS_EVENT, type MergeNews, type MergeOutcome } from '@oneround/fl-core';
import { COLLECTING, growth, megabytes, residentBytes } from '../apps/server/src/testing/resident-memory.ts';
import { ServerProcess } from '../apps/server/src/testing/server-process.ts';
import { makeTestCampaign, smallAdapter } from '../apps/server/src/testing/test-campaign.ts';
import { seededDelta, TestClient } from '../apps/server/src/testing/test-client.ts';
import { harmAtEnd, printHarm } from './chaos.ts';

const WARM_UP = 200;
const MERGES = 1000;
/** No merge begins sooner after the one before: a connection may ask 200 times a second, which is some fifteen merges. */
const MERGE_MS = 100;

export async function benchMerges(flags: string[]): Promise<void> {
  const merges = numberAfter(flags, '--merges', MERGES);
  const warmUp = numberAfter(flags, '--warm-up', WARM_UP);
  const campaign = makeTestCampaign({ adapter: smallAdapter });
  const { file: campaignFile, dataDir } = campaign;
  const server = await ServerProcess.prepare({ campaignFile, dataDir, nodeFlags: COLLECTING });
  try {
    server.start();
    await server.untilServing('/readyz');
    const fresh = await residentBytes(server);
    const client = await TestClient.connect(server.url);
    await mergeMany(client, 0, warmUp);
    const before = await residentBytes(server);
    const each = (await mergeMany(client, warmUp, warmUp + merges)) / merges;
    const after = await residentBytes(server);
    client.close();
    console.log(`  ${merges} merges, one version each, ${each.toFixed(0)} ms from join to version`);
    console.log(
      `  resident ${megabytes(fresh)} at first, ${megabytes(before)} after ${warmUp} to warm up, then ${megabytes(after)}: ${growth(before, after)} (target < 5 %)`,
    );
    const exitCode = await server.end('SIGTERM');
    console.log(`  exit code ${exitCode}; the server wrote: ${server.output || 'nothing'}`);
    printHarm(harmAtEnd(exitCode, server.output));
  } finally {
    await server.end();
    campaign.remove();
  }
}

function numberAfter(flags: readonly string[], flag: string, otherwise: number): number {
  const given = flags.indexOf(flag);
  return given < 0 ? otherwise : Number(flags[given + 1]);
}

/** Resolves when a version holds the contribution. */
async function merged(client: TestClient, contributionId: string): Promise<void> {
  const ids = { campaignId: 'test', contributionId };
  for (;;) {
    const news = new Promise<MergeNews>((resolve) => client.socket.once(NEWS_EVENT, resolve));
    const { state } = await client.value<MergeOutcome>('follow', ids);
    if (state === 'merged') return;
    await news;
  }
}

/**
 * Contributes with the seeds `[from, to)`, each once the one before is in a version.
 * @returns milliseconds from joins to versions, all together
 */
async function mergeMany(client: TestClient, from: number, to: number): Promise<number> {
  let all = 0;
  for (let seed = from; seed < to; seed++) {
    const began = performance.now();
    const lease = await client.join({ source: 'own' });
    const delta = seededDelta(client.manifest.layout.size, seed);
    const { contributionId } = await client.contribute(lease, delta, { labelTokens: 1 });
    await merged(client, contributionId);
    client.news.length = 0;
    const took = performance.now() - began;
    all += took;
    await sleep(MERGE_MS - took);
  }
  return all;
}
