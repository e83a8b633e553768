/** A server of a test's own, its campaign, and whoever connects to it. */
import type { CampaignState } from '@oneround/fl-core';
import { applyCampaignUpdate } from '@oneround/client/connection';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import type { RunningServer, ServerOptions } from '../server.ts';
import { makeTestCampaign, type TestCampaign } from './test-campaign.ts';
import { TestClient } from './test-client.ts';
import { serveTestCampaign } from './test-server.ts';

/** What a test has in hand; it may put another campaign in place before it starts the server. */
interface Bed {
  campaign: TestCampaign;
  server: RunningServer;
}

/** Makes a campaign before each test of a file; server, clients and campaign go after each. */
export function serverBed() {
  const on = {} as Bed;
  const clients: TestClient[] = [];

  beforeEach(() => {
    on.campaign = makeTestCampaign();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await on.server.close();
    on.campaign.remove();
  });

  async function start(changes: Partial<ServerOptions> = {}): Promise<void> {
    on.server = await serveTestCampaign(on.campaign, changes);
  }

  async function connect(keys?: CryptoKeyPair): Promise<TestClient> {
    const client = await TestClient.connect(on.server.url, keys);
    clients.push(client);
    return client;
  }

  async function state(): Promise<CampaignState> {
    return (await (await fetch(`${on.server.url}/v1/campaigns/test/state`)).json()) as CampaignState;
  }

  async function newestVersion(contributions: number) {
    return vi.waitFor(
      async () => {
        const { versions, totals } = await state();
        expect(totals.merged).toBe(contributions);
        return versions.at(-1)!;
      },
      { timeout: 10_000, interval: 20 },
    );
  }

  /** Watches the campaign; what is returned gives the state as this observer has it now. */
  async function watcher(): Promise<() => CampaignState> {
    const observer = await connect();
    await observer.value('watch', { campaignId: 'test' });
    const first = await state();
    return () => observer.updates.reduce(applyCampaignUpdate, first);
  }

  return { on, start, connect, state, newestVersion, watcher };
}
