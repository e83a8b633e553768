/**
 * Three servers on one Postgres: kills, a leader that hangs, a Postgres that dies, and all servers believing that they lead.
 * What was lost, and what it cost. Fails when harm was done.
 */
import { SeededRandom } from '@oneround/fl-core';
import type { ServerOptions } from '@oneround/server';
import { harmDone, killAtRandom, runChaos, stopLeader } from '../apps/server/src/testing/chaos/index.ts';
import { startPostgres, type TestPostgres } from '../apps/server/src/testing/postgres.ts';
import { ServerProcess } from '../apps/server/src/testing/server-process.ts';
import { makeTestCampaign, smallAdapter } from '../apps/server/src/testing/test-campaign.ts';
import { printHarm, printReport, printVerified } from './chaos.ts';

const NODES = 3;
const VOLUNTEERS = 8;
const KILLS = 10;
const SEED = 20261121;
/** So many to a delta that an upload takes as long as a server lives. */
const CHUNK_BYTES = 1024;
const LONGEST_LIFE_MS = 4000;
/** A stopped leader sleeps on for so long after it was relieved. */
const HANG_MS = 2000;
/** Longer than any restart of a busy machine takes. */
const lease = { ttlMs: 120_000, heartbeatMs: 5000 };

type Faults = (nodes: readonly ServerProcess[], databaseUrl: string) => Promise<void>;

export async function benchChaosServers(): Promise<void> {
  const postgres = await startPostgres();
  try {
    console.log(`  ${NODES} servers, ${VOLUNTEERS} volunteers, ${KILLS} kills, a stopped leader, a killed Postgres`);
    await run(postgres, {}, async (nodes, databaseUrl) => {
      await kill(nodes);
      const takeoverMs = await stopLeader(nodes, databaseUrl, HANG_MS);
      console.log(`  the stopped leader was relieved after ${(takeoverMs / 1000).toFixed(2)} s`);
      await postgres.kill();
      await postgres.start();
      for (const node of nodes) await node.untilServing();
    });
    console.log(`\n  ${NODES} servers that all believe they lead, ${VOLUNTEERS} volunteers, ${KILLS} kills`);
    await run(postgres, { foldLeaseMs: 0 }, kill);
  } finally {
    await postgres.remove();
  }
}

async function kill(nodes: readonly ServerProcess[]): Promise<void> {
  const startTimes = await killAtRandom(nodes, {
    kills: KILLS,
    random: new SeededRandom(SEED),
    longestLifeMs: LONGEST_LIFE_MS,
  });
  console.log(`  slowest start ${(Math.max(...startTimes) / 1000).toFixed(1)} s`);
}

async function run(postgres: TestPostgres, options: Partial<ServerOptions>, faults: Faults): Promise<void> {
  const campaign = makeTestCampaign({ adapter: smallAdapter, lease }, { records: 832, shards: 832 });
  const databaseUrl = await postgres.createDatabase();
  const server = { databaseUrl, logLevel: 'silent' as const, ...options };
  const nodes: ServerProcess[] = [];
  try {
    for (let index = 0; index < NODES; index++) {
      const dataDir = `${campaign.dataDir}-${index}`;
      nodes.push(await ServerProcess.prepare({ campaignFile: campaign.file, dataDir, server }));
    }
    for (const node of nodes) node.start();
    for (const node of nodes) await node.untilServing();
    const report = await runChaos({
      urls: nodes.map(({ url }) => url),
      volunteers: VOLUNTEERS,
      seed: SEED,
      chunkBytes: CHUNK_BYTES,
      faults: () => faults(nodes, databaseUrl),
    });
    printReport(report);
    for (const node of nodes) await node.end('SIGTERM');
    printVerified(['--database-url', databaseUrl]);
    // Chunks are not waited for: those that Postgres lost with its last moments are sent again.
    printHarm(harmDone({ ...report, rewound: 0 }));
  } finally {
    for (const node of nodes) await node.end();
    campaign.remove();
  }
}
