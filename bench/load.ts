/**
 * One server process under load, this process as its clients: thousands of idle volunteers, deltas of 1 MB, a disk whose
 * every sync takes 200 ms. `--volunteers 1000` for fewer. The event loop's p99 is the server's own figure (sampled every
 * 10 ms, so an idle loop shows 10 to 12).
 */
import { CAMPAIGN_EVENT, encodeDelta, type CampaignUpdate } from '@oneround/fl-core';
import { RawClient } from '../apps/server/src/testing/fuzz/raw-client.ts';
import { figure, metricsOf, residentBytes } from '../apps/server/src/testing/resident-memory.ts';
import { ServerProcess } from '../apps/server/src/testing/server-process.ts';
import { makeTestCampaign, type TestCampaign } from '../apps/server/src/testing/test-campaign.ts';
import { seededDelta, TestClient } from '../apps/server/src/testing/test-client.ts';

const VOLUNTEERS = 5000;
const UPLOADERS = 8;
const CONTRIBUTIONS = 64;
const SLOW_CONTRIBUTIONS = 16;
const CONNECT_AT_ONCE = 50;
const LOOP_TARGET_MS = 50;
const SLOW_SYNC = ['strace', '-f', '-qq', '--seccomp-bpf', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'];
const SYNC_DELAY = ['-e', 'inject=fsync,fdatasync:delay_exit=200000'];

export async function benchLoad(flags: string[]): Promise<void> {
  const given = flags.indexOf('--volunteers');
  const volunteers = given < 0 ? VOLUNTEERS : Number(flags[given + 1]);
  await withServer([], async (server) => {
    await contribute(server, 'nobody else there', CONTRIBUTIONS);
    const idle = await connectIdle(server, volunteers);
    await contribute(server, `${volunteers} volunteers idle`, CONTRIBUTIONS);
    for (const client of idle) await client.request('watch', { campaignId: 'test' });
    await contribute(server, `${volunteers} volunteers watch`, SLOW_CONTRIBUTIONS);
    for (const client of idle) client.close();
  });
  await withServer([...SLOW_SYNC, ...SYNC_DELAY], (server) =>
    contribute(server, 'every sync of the disk takes 200 ms longer', SLOW_CONTRIBUTIONS),
  );
}

async function withServer(wrapper: string[], use: (server: ServerProcess) => Promise<void>): Promise<void> {
  const campaign: TestCampaign = makeTestCampaign();
  const { file: campaignFile, dataDir } = campaign;
  const server = await ServerProcess.prepare({ campaignFile, dataDir, nodeFlags: ['--expose-gc'], wrapper });
  try {
    server.start();
    await server.untilServing('/readyz');
    await use(server);
  } finally {
    await server.end();
    campaign.remove();
  }
}

async function connectIdle(server: ServerProcess, count: number): Promise<RawClient[]> {
  const before = await residentBytes(server);
  await loopP99(server);
  const began = performance.now();
  const clients: RawClient[] = [];
  while (clients.length < count) {
    const next = Array.from({ length: Math.min(CONNECT_AT_ONCE, count - clients.length) }, () =>
      RawClient.open(server.url),
    );
    clients.push(...(await Promise.all(next)));
  }
  const seconds = (performance.now() - began) / 1000;
  const p99 = await loopP99(server);
  const perSocket = (await residentBytes(server)) - before;
  console.log(
    `  ${count} idle volunteers: ${(perSocket / count / 1000).toFixed(1)} kB resident each, ${(count / seconds).toFixed(0)} connections/s`,
  );
  console.log(
    `    event loop p99 while they connect ${verdict(p99)}; once connected ${verdict(await loopP99(server))}`,
  );
  return clients;
}

/** Contributions by several uploaders at once, and what they took. */
async function contribute(server: ServerProcess, when: string, count: number): Promise<void> {
  const observer = await TestClient.connect(server.url);
  await observer.value('watch', { campaignId: 'test' });
  const clients = await Promise.all(Array.from({ length: UPLOADERS }, () => TestClient.connect(server.url)));
  const { layout, upload } = observer.manifest;
  const lastChunkAt = new Map<string, number>();
  const broadcast = new Map<string, number>();
  const everyone = new Promise<void>((resolve) => {
    observer.socket.on(CAMPAIGN_EVENT, ({ contributions }: CampaignUpdate) => {
      for (const { contributionId: id, foldedVersion } of contributions)
        if (foldedVersion !== null && lastChunkAt.has(id) && !broadcast.has(id)) broadcast.set(id, performance.now());
      if (broadcast.size === count) resolve();
    });
  });
  const prepared = clients.map((_client, index) => encodeDelta(seededDelta(layout.size, index), upload.codec));
  await loopP99(server);
  const metrics = await metricsOf(server);
  const began = performance.now();
  const send = async (client: TestClient, index: number) => {
    const lease = await client.join({ source: 'own' });
    const bytes = prepared[index % UPLOADERS]!.slice();
    // One value differs, so that no two contributions are the same bytes.
    new DataView(bytes.buffer).setFloat32(12 + 4 * (index % layout.size), Math.random() / 100, true);
    const begin = await client.beginMessage(lease, bytes, { labelTokens: 1 });
    await client.value('upload.begin', begin);
    await sendWindow(client, begin.contributionId, bytes);
    lastChunkAt.set(begin.contributionId, performance.now());
    await client.value('upload.finish', { contributionId: begin.contributionId });
  };
  await Promise.all(
    clients.map(async (client, first) => {
      for (let index = first; index < count; index += UPLOADERS) await send(client, index);
    }),
  );
  const acceptSeconds = (performance.now() - began) / 1000;
  await everyone;
  const p99 = await loopP99(server);
  const after = await metricsOf(server);
  const grown = (series: string) => figure(after, series) - figure(metrics, series);
  const cpuMs = (grown('process_cpu_seconds_total') / count) * 1000;
  const folds = grown('oneround_fold_seconds_count');
  const foldSeconds = grown('oneround_fold_seconds_sum');
  const delays = [...broadcast].map(([id, at]) => at - lastChunkAt.get(id)!).toSorted((a, b) => a - b);
  const at = (share: number) => delays[Math.min(delays.length - 1, Math.floor(share * delays.length))]!.toFixed(0);
  console.log(`  ${when}: ${count} deltas of ${(upload.bytes / 1e6).toFixed(2)} MB by ${UPLOADERS} uploaders`);
  console.log(
    `    accepted ${(count / acceptSeconds).toFixed(1)}/s; folded ${(count / foldSeconds).toFixed(1)}/s of folding (${folds} folds); ${cpuMs.toFixed(0)} ms CPU each, scoring included`,
  );
  console.log(`    last chunk to broadcast p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; event loop p99 ${verdict(p99)}`);
  for (const client of [...clients, observer]) client.close();
}

/** As many chunks at once as the campaign allows. */
async function sendWindow(client: TestClient, contributionId: string, bytes: Uint8Array): Promise<void> {
  const { chunkBytes, window } = client.manifest.upload;
  const inFlight: Promise<unknown>[] = [];
  for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes) {
    const data = bytes.slice(offset, offset + chunkBytes);
    inFlight.push(client.value('upload.chunk', { contributionId, offset, data }));
    if (inFlight.length >= window) await inFlight.shift();
  }
  await Promise.all(inFlight);
}

/** Milliseconds since the last call; reading it starts it anew. */
async function loopP99(server: ServerProcess): Promise<number> {
  return figure(await metricsOf(server), 'nodejs_eventloop_lag_p99_seconds') * 1000;
}

function verdict(ms: number): string {
  return `${ms.toFixed(0)} ms (target < ${LOOP_TARGET_MS}: ${ms < LOOP_TARGET_MS ? 'met' : 'MISSED'})`;
}
