/** A second campaign that goes on from the first one's exported adapter, in real browsers. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { startServerProcess, type CampaignOptions, type ServerProcess } from './server-process.ts';
import { donate, waitForMerge } from './volunteer-page.ts';

const small: CampaignOptions = { records: 24, shards: 1, heldOut: 24, epochs: 8, batchSize: 8 };
const servers: ServerProcess[] = [];
const folders: string[] = [];

test.afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.dispose()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

async function start(options: CampaignOptions): Promise<ServerProcess> {
  const server = await startServerProcess(options);
  servers.push(server);
  return server;
}

async function exported(server: ServerProcess, version: number, file: string): Promise<Uint8Array> {
  const response = await fetch(`${server.url}/v1/campaigns/e2e/versions/${version}/${file}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Held-out loss of every version, once all are scored. */
async function losses(server: ServerProcess, versions: number): Promise<number[]> {
  let found: (number | undefined)[] = [];
  await expect
    .poll(
      async () => {
        found = (await server.state()).versions.map(({ evaluation }) => evaluation?.loss);
        return found.filter((loss) => loss !== undefined).length;
      },
      { timeout: 60_000 },
    )
    .toBe(versions);
  return found.map((loss) => loss!);
}

test('a campaign goes on from the adapter of another', async ({ page }) => {
  const first = await start(small);
  await donate(page, `${first.url}/c/e2e`, 'wasm');
  await waitForMerge(page);
  const [untrained, trained] = await losses(first, 2);
  const folder = await mkdtemp(join(tmpdir(), 'oneround-start-'));
  folders.push(folder);
  for (const file of ['adapter_config.json', 'adapter_model.safetensors']) {
    await writeFile(join(folder, file), await exported(first, 1, file));
  }

  const second = await start({ ...small, epochs: 2, start: folder });
  await donate(page, `${second.url}/c/e2e`, 'wasm');
  await waitForMerge(page);
  const [before, after] = await losses(second, 2);
  expect(before).toBeCloseTo(trained!, 5);
  expect(after).not.toBe(before);
  // Two epochs from the base model would not get this far.
  const [contribution] = (await second.state()).contributions;
  expect(contribution!.localLoss).toBeLessThan(untrained! / 4);

  const file = 'adapter_model.safetensors';
  const [given, grown] = await Promise.all([0, 1].map(async (v) => readSafetensors(await exported(second, v, file))));
  const changed = [...given!].filter(([name, { values }]) => !same(values, grown!.get(name)!.values));
  expect(changed.length).toBeGreaterThan(0);
  expect(changed.every(([name]) => name.endsWith('lora_B.weight'))).toBe(true);
});

function same(a: Float32Array, b: Float32Array): boolean {
  return a.every((value, i) => value === b[i]);
}
