/** Contributions of a megabyte by several uploaders at once: how fast they are taken, folded and told of. */
import { CAMPAIGN_EVENT, encodeDelta, type CampaignUpdate } from '@oneround/fl-core';
import type { ServerProcess } from '../../apps/server/src/testing/server-process.ts';
import { seededDelta, TestClient } from '../../apps/server/src/testing/test-client.ts';
import type { Lines } from './phases.ts';

const UPLOADERS = 8;

/** Resolves when an observer has heard of the last one's fold. */
export async function contribute(server: ServerProcess, count: number): Promise<Lines> {
  const observer = await TestClient.connect(server.url);
  await observer.value('watch', { campaignId: 'test' });
  const clients = await Promise.all(Array.from({ length: UPLOADERS }, () => TestClient.connect(server.url)));
  const { layout, upload } = observer.manifest;
  const lastChunkAt = new Map<string, number>();
  const toldAt = new Map<string, number>();
  const everyone = new Promise<void>((resolve) => {
    observer.socket.on(CAMPAIGN_EVENT, ({ contributions }: CampaignUpdate) => {
      for (const { contributionId: id, foldedVersion } of contributions) {
        if (foldedVersion !== null && lastChunkAt.has(id) && !toldAt.has(id)) toldAt.set(id, performance.now());
      }
      if (toldAt.size === count) resolve();
    });
  });
  const prepared = clients.map((_client, index) => encodeDelta(seededDelta(layout.size, index), upload.codec));
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
  const began = performance.now();
  await Promise.all(
    clients.map(async (client, first) => {
      for (let index = first; index < count; index += UPLOADERS) await send(client, index);
    }),
  );
  const acceptSeconds = (performance.now() - began) / 1000;
  await everyone;
  const foldedSeconds = (performance.now() - began) / 1000;
  const delays = percentiles([...toldAt].map(([id, at]) => at - lastChunkAt.get(id)!));
  for (const client of [...clients, observer]) client.close();
  return (grown) => [
    `${count} deltas of ${(upload.bytes / 1e6).toFixed(2)} MB by ${UPLOADERS} uploaders: accepted ${(count / acceptSeconds).toFixed(1)}/s, ` +
      `accepted and folded ${(count / foldedSeconds).toFixed(1)}/s, ${grown('oneround_fold_seconds_count')} folds in ${grown('oneround_fold_seconds_sum').toFixed(1)} s`,
    `last chunk to broadcast ${delays}`,
  ];
}

/** `p50 3 ms, p99 12 ms`. */
export function percentiles(milliseconds: readonly number[]): string {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(0);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
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
