/** A round on a running server: contributions come, versions and scores follow, and everybody is told. */
import { createHash } from 'node:crypto';
import { applyCampaignUpdate } from '@oneround/client/connection';
import { ExactFold, type CampaignState, type Lease } from '@oneround/fl-core';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { describe, expect, it, vi } from 'vitest';
import { serverBed } from './testing/server-bed.ts';
import { makeTestCampaign } from './testing/test-campaign.ts';
import { seededDelta, type TestClient } from './testing/test-client.ts';

const { on, start, connect, state, newestVersion, watcher } = serverBed();

function rows({ clients, contributions, versions, log, totals }: CampaignState) {
  return { clients, contributions, versions, log, totals };
}

describe('a round', () => {
  it('ends in the same bits whatever the order, and equals the exact fold', async () => {
    const hashes = new Set<string>();
    for (const order of [
      [0, 1, 2],
      [2, 0, 1],
      [1, 2, 0],
    ]) {
      await start();
      const held: { client: TestClient; lease: Lease }[] = [];
      for (let i = 0; i < 3; i++) {
        const client = await connect();
        held.push({ client, lease: await client.join() });
      }
      expect(held.map(({ lease }) => lease.shard!.index)).toEqual([0, 1, 2]);
      const { layout, weightScale } = held[0]!.client.manifest;
      const fold = new ExactFold(layout.size);
      for (const i of order) {
        const { client, lease } = held[i]!;
        await client.contribute(lease, seededDelta(layout.size, i + 1));
        fold.add(seededDelta(layout.size, i + 1), (await client.labelTokens(lease)) * weightScale);
      }
      const version = await newestVersion(3);
      const mean = new Uint8Array(fold.mean().buffer);
      expect(version.sha256).toBe(createHash('sha256').update(mean).digest('hex'));
      hashes.add(version.sha256);
      await on.server.close();
      on.campaign.remove();
      on.campaign = makeTestCampaign();
    }
    expect(hashes.size).toBe(1);
    await start();
  });

  it('exports what the dashboard says, and it is the merged adapter', async () => {
    await start();
    const client = await connect();
    const lease = await client.join();
    const { layout } = client.manifest;
    await client.contribute(lease, seededDelta(layout.size, 5));
    const version = await newestVersion(1);
    const response = await fetch(`${on.server.url}/v1/campaigns/test/versions/latest/adapter_model.safetensors`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(version.exportSha256);
    const tensors = readSafetensors(bytes);
    const first = layout.tensors[0]!;
    const values = tensors.get(first.name)!.values;
    seededDelta(layout.size, 5)
      .subarray(0, values.length)
      .forEach((value, i) => expect(Math.abs(values[i]! - value)).toBeLessThan(1e-6));
    expect(response.headers.get('cache-control')).toBe('no-cache');
    const config = await fetch(`${on.server.url}/v1/campaigns/test/versions/latest/adapter_config.json`);
    expect(await config.json()).toMatchObject({ peft_type: 'LORA', task_type: 'CAUSAL_LM' });
  });

  it('evaluates the base, every version and every contribution alone', async () => {
    await start();
    const client = await connect();
    await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 5));
    await vi.waitFor(
      async () => {
        const { versions, contributions } = await state();
        expect(versions.map(({ evaluation }) => evaluation?.examples)).toEqual([8, 8]);
        expect(contributions[0]!.alone!.loss).toBeCloseTo(versions[1]!.evaluation!.loss, 5);
      },
      { timeout: 30_000, interval: 100 },
    );
  });

  it('tells observers of everything: joins, contribution, version', async () => {
    await start();
    const observer = await connect();
    await observer.value('watch', { campaignId: 'test' });
    const before = await state();
    expect(before.online).toBe(0);
    const client = await connect();
    await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 1));
    const seen = () => observer.updates.reduce(applyCampaignUpdate, before);
    await vi.waitFor(() => expect(seen().totals).toMatchObject({ merged: 1, versions: 2 }), { timeout: 5000 });
    expect(seen()).toMatchObject({
      online: 1,
      shards: { total: 3, leased: 0, contributed: 1, givenUp: 0 },
      clients: [{ phase: 'contributed' }],
      contributions: [{ sequence: 1, foldedVersion: 1 }],
      versions: [{ version: 0 }, { version: 1 }],
    });
    expect(seen().log.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['merged', 'accepted', 'joined']));
  });

  it('shows who comes late what everybody else sees', async () => {
    await start();
    const watchers = [await watcher()];
    const come = async (seed: number) => {
      const client = await connect();
      const lease = await client.join();
      watchers.push(await watcher());
      await client.contribute(lease, seededDelta(client.manifest.layout.size, seed));
      watchers.push(await watcher());
    };
    await Promise.all([come(1), come(2), come(3)]);
    await vi.waitFor(
      async () => {
        const now = rows(await state());
        expect(now.versions.every(({ evaluation }) => evaluation)).toBe(true);
        expect(now.contributions.filter(({ alone }) => alone)).toHaveLength(3);
        for (const seen of watchers) expect(rows(seen())).toEqual(now);
      },
      { timeout: 40_000, interval: 200 },
    );
  });

  it('tells a volunteer of the version that holds its contribution, and nothing else', async () => {
    await start();
    const client = await connect();
    const receipt = await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 1));
    const ids = { campaignId: 'test', contributionId: receipt.contributionId };
    await client.value('follow', ids);
    await vi.waitFor(() => expect(client.news.flatMap(({ versions }) => versions)).toContain(1), { timeout: 20_000 });
    await vi.waitFor(
      async () =>
        expect(await client.value('follow', ids)).toMatchObject({
          version: 1,
          before: expect.any(Number),
          after: expect.any(Number),
        }),
      { timeout: 20_000, interval: 100 },
    );
    expect(client.updates).toEqual([]);
  });

  it('shows a new version soon after the last chunk, four clients at once', async () => {
    on.campaign.remove();
    on.campaign = makeTestCampaign({}, { shards: 4 });
    await start();
    const observer = await connect();
    await observer.value('watch', { campaignId: 'test' });
    const joined = await Promise.all(
      [1, 2, 3, 4].map(async (seed) => {
        const client = await connect();
        return { client, lease: await client.join(), seed };
      }),
    );
    const delays = await Promise.all(
      joined.map(async ({ client, lease, seed }) => {
        const receipt = await client.contribute(lease, seededDelta(client.manifest.layout.size, seed));
        const finished = performance.now();
        await vi.waitFor(
          () => {
            const held = observer.updates.some(({ contributions }) =>
              contributions.some((row) => row.contributionId === receipt.contributionId && row.foldedVersion !== null),
            );
            expect(held).toBe(true);
          },
          { interval: 5, timeout: 5000 },
        );
        return performance.now() - finished;
      }),
    );
    console.log(`last chunk to visible version: ${delays.map((delay) => delay.toFixed(0)).join(', ')} ms`);
    expect(Math.max(...delays)).toBeLessThan(5000);
  });
});
