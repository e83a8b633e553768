/** From the observers of one server to those of another: both on one Postgres. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CAMPAIGN_EVENT, type CampaignUpdate } from '@oneround/fl-core';
import type { ServerProcess } from '../../apps/server/src/testing/server-process.ts';
import { TestClient } from '../../apps/server/src/testing/test-client.ts';
import { percentiles } from './contributions.ts';
import type { Lines } from './phases.ts';

/** Longer than any pause between two messages. */
const QUIET_MS = 1000;

/** Volunteers join one server, one after another; observers of both hear of each. */
export async function joinAndListen(first: ServerProcess, second: ServerProcess, joins: number): Promise<Lines> {
  const observers = [await TestClient.connect(first.url), await TestClient.connect(second.url)];
  const heardAt = observers.map((observer) => {
    const times = new Map<string, number>();
    observer.socket.on(CAMPAIGN_EVENT, ({ clients }: CampaignUpdate) => {
      for (const { leaseId } of clients) if (!times.has(leaseId)) times.set(leaseId, performance.now());
    });
    return times;
  });
  for (const observer of observers) await observer.value('watch', { campaignId: 'test' });
  const client = await TestClient.connect(first.url);
  const delays: { here: number; there: number }[] = [];
  for (let i = 0; i < joins; i++) {
    const asked = performance.now();
    const { leaseId } = await client.join({ source: 'own' });
    while (heardAt.some((times) => !times.has(leaseId))) await sleep(1);
    const [here, there] = heardAt.map((times) => times.get(leaseId)! - asked) as [number, number];
    delays.push({ here, there });
    await client.value('leave', { leaseId });
    await sleep(QUIET_MS);
  }
  for (const one of [...observers, client]) one.close();
  return () => [
    `${joins} single changes, from the request to an observer of the same server ${percentiles(delays.map(({ here }) => here))},`,
    `of the other server ${percentiles(delays.map(({ there }) => there))}; between the two ${percentiles(delays.map(({ here, there }) => there - here))}`,
  ];
}
