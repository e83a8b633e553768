/** A campaign whose volunteers train A as well as B, in a real browser. */
import { expect, test } from '@playwright/test';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { donate, waitForMerge } from './volunteer-page.ts';

let server: ServerProcess;

test.beforeEach(async () => {
  server = await startServerProcess({ records: 24, shards: 1, heldOut: 24, epochs: 8, batchSize: 8, trainsA: true });
});

test.afterEach(() => server.dispose());

async function exported(version: number) {
  const response = await fetch(`${server.url}/v1/campaigns/e2e/versions/${version}/adapter_model.safetensors`);
  return readSafetensors(new Uint8Array(await response.arrayBuffer()));
}

test('a browser trains A and B, and the version it makes has both', async ({ page }) => {
  await donate(page, `${server.url}/c/e2e`, 'wasm');
  await waitForMerge(page);
  const [before, after] = [await exported(0), await exported(1)];
  for (const [name, { values }] of before) {
    expect(
      after.get(name)!.values.some((value, i) => value !== values[i]),
      name,
    ).toBe(true);
  }
  await expect
    .poll(async () => (await server.state()).versions.filter(({ evaluation }) => evaluation).length, {
      timeout: 60_000,
    })
    .toBe(2);
  const [untrained, trained] = (await server.state()).versions.map(({ evaluation }) => evaluation!.loss);
  expect(trained).toBeLessThan(untrained!);
});
