/** The gate on a real server: the held-out set is the campaign's own, and the evaluation thread scores what comes. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { deltaNorm, type CampaignState } from '@oneround/fl-core';
import { afterEach, expect, it, vi } from 'vitest';
import { makeAdminToken } from './ledger/index.ts';
import type { RunningServer } from './server.ts';
import { figure } from './testing/resident-memory.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from './testing/test-campaign.ts';
import { seededDelta, TestClient } from './testing/test-client.ts';
import { serveTestCampaign } from './testing/test-server.ts';

let campaign: TestCampaign;
let server: RunningServer;

afterEach(async () => {
  await server.close();
  campaign.remove();
});

const stateOf = async () => (await (await fetch(`${server.url}/v1/campaigns/test/state`)).json()) as CampaignState;

it('takes a contribution out that ruins the model, tells its volunteer and the log, and closes without it', async () => {
  campaign = makeTestCampaign({
    adapter: smallAdapter,
    upload: { codec: 'f32', maxNorm: 5000 },
    merge: { weights: { by: 'label-tokens' }, screens: { warmUp: 3, tolerance: 0.5 }, scaleSearch: true },
    terms: { draft: false, private: false, clientsPerShard: 1, closeAt: { contributions: 1 } },
  });
  server = await serveTestCampaign(campaign);
  const client = await TestClient.connect(server.url);
  try {
    const noise = seededDelta(client.manifest.layout.size, 1);
    const ruin = noise.map((value) => (4000 / deltaNorm(noise)) * value);
    const receipt = await client.contribute(await client.join(), ruin);
    expect(receipt).toMatchObject({ sequence: 1, quarantined: false });
    const state = await vi.waitFor(
      async () => {
        const now = await stateOf();
        expect(now.status).toBe('closed');
        return now;
      },
      { timeout: 60_000, interval: 250 },
    );
    const [base, bad, last] = state.versions;
    expect(bad!.evaluation!.loss).toBeGreaterThan(1.5 * base!.evaluation!.loss);
    expect(last!.sha256).toBe(base!.sha256);
    expect(state.contributions).toMatchObject([
      { held: [{ from: 1, to: 2 }], quarantined: { reason: 'worse-held-out' }, foldedVersion: 1 },
    ]);
    expect(state.log.some(({ kind, message }) => kind === 'screened' && message.includes('#1 is'))).toBe(true);
  } finally {
    client.close();
  }
});

it('tells volunteers and the organiser of a shard that was given up', { timeout: 60_000 }, async () => {
  const terms = { draft: false, private: false, clientsPerShard: 1, closeAt: {} };
  const merge = {
    weights: { by: 'label-tokens' as const },
    screens: { warmUp: 1, tolerance: 0.5 },
    scaleSearch: false,
  };
  campaign = makeTestCampaign({ adapter: smallAdapter, merge, terms }, { records: 8, shards: 2 });
  server = await serveTestCampaign(campaign);
  for (const seed of [1, 2, 3, 4]) {
    const client = await TestClient.connect(server.url);
    try {
      const delta = seededDelta(client.manifest.layout.size, seed);
      expect((await client.contribute(await client.join(), delta)).quarantined).toBe(seed > 1);
      await vi.waitFor(async () => expect((await stateOf()).totals.merged).toBe(1));
    } finally {
      client.close();
    }
  }
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(figure(metrics, 'oneround_contributions_accepted_total{campaign="test"}')).toBe(4);
  expect(figure(metrics, 'oneround_contributions_quarantined_total{campaign="test"}')).toBe(3);
  expect((await stateOf()).shards).toEqual({ total: 2, leased: 0, contributed: 1, givenUp: 1 });
  const late = await TestClient.connect(server.url);
  try {
    expect(await late.ask('join', await late.joinRequest())).toMatchObject({
      error: { code: 'no_shard_left', message: expect.stringContaining('1 has been given up after 3 contributions') },
    });
  } finally {
    late.close();
  }
  const program = resolve(import.meta.dirname, '../bin/oneround.mjs');
  const env = { ...process.env, ONEROUND_ADMIN_TOKEN: await makeAdminToken(campaign.dataDir) };
  const args = [program, 'campaign', 'quarantine', 'test', '--server', server.url];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  expect(stdout.match(/its direction is not that of the others/g)).toHaveLength(3);
  expect(stdout).toContain('Shards given up because of them: 1. What you withdraw makes room for others;');
});
