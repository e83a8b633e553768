/** What a volunteer hears of its contribution that no version holds, also with another server than the organiser's. */
import { followMerge, openCampaignSocket } from '@oneround/client/connection';
import type { CampaignConfig, MergeOutcome } from '@oneround/fl-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { remoteOrganiser, type Organiser } from './admin/index.ts';
import { makeAdminToken } from './ledger/index.ts';
import type { RunningServer } from './server.ts';
import { startPostgres, type TestPostgres } from './testing/postgres.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from './testing/test-campaign.ts';
import { seededDelta, TestClient } from './testing/test-client.ts';
import { serveTestCampaign } from './testing/test-server.ts';

const PATIENCE = { timeout: 30_000, interval: 20 };

let postgres: TestPostgres;
let campaign: TestCampaign;
const servers: RunningServer[] = [];
/** What ends with the test. */
const closers: (() => void)[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());
afterEach(async () => {
  for (const close of closers.splice(0)) close();
  for (const server of servers.splice(0)) await server.close();
  campaign.remove();
});

/** Starts the campaign. @returns the organiser of its first server */
async function start(store: string, changes: Partial<CampaignConfig>): Promise<Organiser> {
  campaign = makeTestCampaign({ adapter: smallAdapter, ...changes });
  const { dataDir } = campaign;
  const databaseUrl = store === 'SQLite' ? undefined : await postgres.createDatabase();
  const dataDirs = store === 'SQLite' ? [dataDir] : [`${dataDir}-0`, `${dataDir}-1`];
  for (const each of dataDirs) servers.push(await serveTestCampaign(campaign, { dataDir: each, databaseUrl }));
  return remoteOrganiser(servers[0]!.url, await makeAdminToken(dataDirs[0]!, databaseUrl));
}

/** Contributes and follows, both with the last server. */
async function contribute(seed: number): Promise<{ contributionId: string; told: MergeOutcome[] }> {
  const { url } = servers.at(-1)!;
  const client = await TestClient.connect(url);
  const receipt = await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, seed));
  const { contributionId } = receipt;
  const told: MergeOutcome[] = [];
  const socket = openCampaignSocket(url);
  const stop = followMerge(
    socket,
    { campaignId: 'test', contributionId },
    { onOutcome: (outcome) => told.push(outcome), onError: console.error, onGone: console.error },
  );
  closers.push(
    stop,
    () => socket.close(),
    () => client.close(),
  );
  await vi.waitUntil(() => told.length > 0, PATIENCE);
  return { contributionId, told };
}

describe.each(['SQLite', 'Postgres, with another server'])('on %s', (store) => {
  it('is told that its contribution was withdrawn, or left over when the campaign closed in its round', async () => {
    const organiser = await start(store, {
      rounds: { count: 2, contributions: 3, optimiser: { kind: 'fed-avg', learningRate: 1 } },
    });
    const [first, second] = [await contribute(1), await contribute(2)];
    await organiser.withdraw(first.contributionId);
    await vi.waitUntil(() => first.told.length > 1, PATIENCE);
    await organiser.move('test', 'close');
    await vi.waitUntil(() => second.told.length > 1, PATIENCE);
    expect(first.told).toEqual([{ state: 'waiting' }, { state: 'withdrawn' }]);
    expect(second.told).toEqual([{ state: 'waiting' }, { state: 'left-over' }]);
    // Whoever asks later hears the same.
    const late = await TestClient.connect(servers.at(-1)!.url);
    const { contributionId } = second;
    expect(await late.value('follow', { campaignId: 'test', contributionId })).toEqual({ state: 'left-over' });
    late.close();
  });

  it('is told that its contribution was withdrawn again from the version that held it', async () => {
    const organiser = await start(store, {});
    const { contributionId, told } = await contribute(1);
    const scored = { state: 'merged', before: expect.any(Number), after: expect.any(Number) };
    await vi.waitFor(() => expect(told.at(-1)).toMatchObject(scored), PATIENCE);
    await organiser.withdraw(contributionId);
    await vi.waitFor(() => expect(told.at(-1)).toEqual({ state: 'withdrawn' }), PATIENCE);
  });
});
