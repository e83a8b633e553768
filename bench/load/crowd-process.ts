/** Thousands of volunteers in a process of their own: raw frames, because as many socket.io clients are heavier than a server. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROTOCOL_VERSION, type Lease, type RequestName } from '@oneround/fl-core';
import { RawClient } from '../../apps/server/src/testing/fuzz/raw-client.ts';
import type { CrowdCommands } from './crowd.ts';

const AT_ONCE = 50;
const HEARTBEAT_MS = 20_000;

interface Volunteer {
  client: RawClient;
  /** Null for one that has only connected. */
  leaseId: string | null;
}

let crowd: Volunteer[] = [];

const commands: CrowdCommands = {
  connect: (url, count) =>
    secondsFor(count, async () => {
      crowd.push({ client: await RawClient.open(url), leaseId: null });
    }),

  join: (url, count) =>
    secondsFor(count, async () => {
      const client = await RawClient.open(url);
      const { leaseId } = await value<Lease>(client, 'join', {
        protocol: PROTOCOL_VERSION,
        campaignId: 'test',
        publicKey: randomBytes(32).toString('hex'),
        device: { backend: 'wasm', description: 'a volunteer of the load bench' },
        source: 'own',
      });
      crowd.push({ client, leaseId });
      void keepAlive(client, leaseId);
    }),

  async train(ms) {
    const until = performance.now() + ms;
    let reports = 0;
    await Promise.all(
      crowd.map(async ({ client, leaseId }) => {
        await sleep(Math.random() * 1000);
        for (let step = 1; performance.now() < until; step++) {
          const figures = { epoch: 0, epochs: 1, step, steps: 1000, tokensPerSecond: 100, loss: 1.5, bytesDown: 0 };
          const { pauseMs } = await value<{ pauseMs: number }>(client, 'progress', {
            ...{ leaseId, phase: 'training', ...figures },
          });
          reports++;
          await sleep(pauseMs);
        }
      }),
    );
    return reports;
  },

  async watch() {
    await forEachOf(crowd, ({ client }) => value(client, 'watch', { campaignId: 'test' }));
  },

  async heard() {
    const sum = (count: (client: RawClient) => number) => crowd.reduce((all, { client }) => all + count(client), 0);
    return {
      connected: crowd.filter(({ client }) => client.isOpen).length,
      messages: sum(({ received }) => received.messages),
      bytes: sum(({ received }) => received.bytes),
    };
  },

  async leave() {
    for (const { client } of crowd) client.close();
    crowd = [];
  },
};

async function value<Value>(client: RawClient, name: RequestName, body: object): Promise<Value> {
  const answer = await client.request(name, body);
  if (answer?.ok) return answer.value as Value;
  throw new Error(answer ? `${name}: ${answer.error.message}` : `${name}: the server closed the connection`);
}

async function keepAlive(client: RawClient, leaseId: string): Promise<void> {
  // Not all in one moment.
  await sleep(Math.random() * HEARTBEAT_MS);
  while (client.isOpen) {
    await client.request('heartbeat', { leaseId });
    await sleep(HEARTBEAT_MS);
  }
}

async function secondsFor(count: number, comeOne: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await forEachOf(Array.from({ length: count }), comeOne);
  return (performance.now() - began) / 1000;
}

async function forEachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<unknown>): Promise<void> {
  const waiting = items.values();
  const worker = async () => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

process.on('message', ({ id, name, args }: { id: number; name: keyof CrowdCommands; args: never[] }) => {
  const command = commands[name] as (...given: never[]) => Promise<unknown>;
  command(...args).then(
    (result) => process.send!({ id, value: result }),
    (error: unknown) => process.send!({ id, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
