/** From the last upload chunk to the new version on an observer's socket: four clients at once, a real server. */
import { CAMPAIGN_EVENT, encodeDelta, type CampaignUpdate } from '@oneround/fl-core';
import { startServer } from '../apps/server/src/index.ts';
import { makeTestCampaign } from '../apps/server/src/testing/test-campaign.ts';
import { seededDelta, TestClient } from '../apps/server/src/testing/test-client.ts';

const CLIENTS = 4;
const ROUNDS = 10;

export async function benchMergeLatency(): Promise<void> {
  const shards = CLIENTS * ROUNDS;
  const campaign = makeTestCampaign({}, { records: shards * 2, shards });
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    dataDir: campaign.dataDir,
    campaignFiles: [campaign.file],
    logLevel: 'error',
  });
  try {
    const observer = await TestClient.connect(server.url);
    await observer.value('watch', { campaignId: 'test' });
    const delays = await Promise.all(
      Array.from({ length: CLIENTS }, (_, client) => contributeRepeatedly(server.url, observer, client)),
    );
    const sorted = delays.flat().toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(0);
    const size = `${(observer.manifest.upload.bytes / 1e6).toFixed(2)} MB`;
    console.log(
      `  ${sorted.length} contributions of ${size}: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, worst ${at(1)} ms`,
    );
    observer.close();
  } finally {
    await server.close();
    campaign.remove();
  }
}

async function contributeRepeatedly(url: string, observer: TestClient, seed: number): Promise<number[]> {
  const client = await TestClient.connect(url);
  const { layout, upload } = client.manifest;
  const delays: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const lease = await client.join();
    const bytes = encodeDelta(seededDelta(layout.size, seed * ROUNDS + round), upload.codec);
    const { contributionId, ...begin } = await client.beginMessage(lease, bytes);
    await client.value('upload.begin', { contributionId, ...begin });
    const visible = new Promise<void>((resolve) => {
      const look = ({ contributions }: CampaignUpdate) => {
        if (!contributions.some((row) => row.contributionId === contributionId && row.foldedVersion !== null)) return;
        observer.socket.off(CAMPAIGN_EVENT, look);
        resolve();
      };
      observer.socket.on(CAMPAIGN_EVENT, look);
    });
    const lastChunk = bytes.byteLength - (bytes.byteLength % upload.chunkBytes || upload.chunkBytes);
    await client.sendChunks(contributionId, bytes, 0, lastChunk);
    const started = performance.now();
    await client.sendChunks(contributionId, bytes, lastChunk);
    await client.value('upload.finish', { contributionId });
    await visible;
    delays.push(performance.now() - started);
  }
  client.close();
  return delays;
}
