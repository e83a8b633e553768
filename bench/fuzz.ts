/** 20,000 pieces of nonsense for one server process: does it stay, does it serve on, and what does it keep of them. */
import { runFuzz } from '../apps/server/src/testing/fuzz/index.ts';
import { COLLECTING, growth, megabytes, residentBytes } from '../apps/server/src/testing/resident-memory.ts';
import { ServerProcess } from '../apps/server/src/testing/server-process.ts';
import { makeTestCampaign, smallAdapter } from '../apps/server/src/testing/test-campaign.ts';
import { seededDelta, TestClient } from '../apps/server/src/testing/test-client.ts';
import { harmAtEnd, printHarm } from './chaos.ts';

const WARM_UP = 5000;
const MESSAGES = 20_000;
/** So often more: what is resident goes up and down by some percent, and a leak only up. */
const REPEATS = 3;
const SEED = 20261121;

export async function benchFuzz(): Promise<void> {
  const campaign = makeTestCampaign({ adapter: smallAdapter, lease: { ttlMs: 5000, heartbeatMs: 1000 } });
  const { file: campaignFile, dataDir } = campaign;
  const server = await ServerProcess.prepare({ campaignFile, dataDir, nodeFlags: COLLECTING });
  try {
    server.start();
    await server.untilServing('/readyz');
    const fresh = await residentBytes(server);
    await runFuzz(server, WARM_UP, SEED + 1);
    const before = await residentBytes(server);
    const began = performance.now();
    const { slowestAnswerMs, ...sent } = await runFuzz(server, MESSAGES, SEED);
    const seconds = (performance.now() - began) / 1000;
    const after = await residentBytes(server);
    const later: string[] = [];
    for (let repeat = 1; repeat <= REPEATS; repeat++) {
      await runFuzz(server, MESSAGES, SEED + 1 + repeat);
      later.push(megabytes(await residentBytes(server)));
    }
    const volunteer = await TestClient.connect(server.url);
    const delta = seededDelta(volunteer.manifest.layout.size, 1);
    const receipt = await volunteer.contribute(await volunteer.join(), delta);
    volunteer.close();
    console.log(`  ${JSON.stringify(sent)} in ${seconds.toFixed(0)} s, seed ${SEED}`);
    console.log(
      `  a good client waited ${slowestAnswerMs.toFixed(0)} ms at most; contributed as #${receipt.sequence} afterwards`,
    );
    console.log(
      `  resident ${megabytes(fresh)} at first, ${megabytes(before)} after ${WARM_UP} to warm up, then ${megabytes(after)}: ${growth(before, after)} (target < 5 %)`,
    );
    console.log(`  after each ${MESSAGES} more: ${later.join(', ')}`);
    const exitCode = await server.end('SIGTERM');
    console.log(`  exit code ${exitCode}; warnings, failures and rejections: ${server.output || 'none'}`);
    printHarm(harmAtEnd(exitCode, server.output));
  } finally {
    await server.end();
    campaign.remove();
  }
}
