/** Workers as processes against a server as a process: they finish a campaign, and neither side's death costs a contribution. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CampaignState, Manifest } from '@oneround/fl-core';
import { afterEach, expect, it, vi } from 'vitest';
import { remoteOrganiser } from './admin/index.ts';
import { makeAdminToken, verifyDataDir } from './ledger/index.ts';
import { collect } from './testing/collect.ts';
import { startBreakingProxy } from './testing/breaking-proxy.ts';
import { ServerProcess } from './testing/server-process.ts';
import { makeTestCampaign, type TestCampaign } from './testing/test-campaign.ts';

const program = fileURLToPath(new URL('../bin/oneround.mjs', import.meta.url));
const LIMIT_MS = 300_000;
const training = {
  ...{ batchSize: 4, maxTokens: 64, learningRate: 1e-3, warmupRatio: 0, weightDecay: 0 },
  ...{ clipNorm: 1, seed: 1 },
};

let campaign: TestCampaign;
let server: ServerProcess;
let workers: Worker[] = [];

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill()));
  workers = [];
  await server.end();
  campaign.remove();
});

class Worker {
  readonly #child: ChildProcess;
  output = '';

  constructor(url: string, folder: string, flags: string[] = []) {
    const args = [program, 'worker', `${url}/c/test`, '--device', 'wasm', '--folder', folder, ...flags];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    workers.push(this);
  }

  async says(what: RegExp): Promise<void> {
    const hasEnded = () => this.#child.exitCode !== null || this.#child.signalCode !== null;
    await vi.waitUntil(() => what.test(this.output) || hasEnded(), { timeout: LIMIT_MS, interval: 20 });
    if (!what.test(this.output)) throw new Error(`the worker ended without saying ${what}:\n${this.output}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends well. */
  async ends(): Promise<void> {
    await this.#exit();
    if (this.#child.exitCode !== 0) throw new Error(`the worker ended with ${this.#child.exitCode}:\n${this.output}`);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#exit();
  }

  async #exit(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}

async function serve(changes: Parameters<typeof makeTestCampaign>[0], size: Parameters<typeof makeTestCampaign>[1]) {
  campaign = makeTestCampaign(changes, size);
  server = await ServerProcess.prepare({ campaignFile: campaign.file, dataDir: campaign.dataDir });
  server.start();
  await server.untilServing();
}

const state = async () => (await (await fetch(`${server.url}/v1/campaigns/test/state`)).json()) as CampaignState;

it(
  'two workers finish a campaign; one that is killed as it trains goes on where it was',
  async () => {
    // Long enough to be killed in the middle of.
    await serve({ training: { ...training, epochs: 40 } }, { records: 24, shards: 3 });
    const [first, second] = ['first', 'second'].map((name) => join(campaign.folder, name)) as [string, string];
    const killed = new Worker(server.url, first);
    const other = new Worker(server.url, second);
    await killed.says(/epoch [2-9]\/40/);
    await killed.kill();
    expect(existsSync(join(first, 'runs', `127.0.0.1_${server.port}`, 'test.run'))).toBe(true);

    const again = new Worker(server.url, first);
    await again.says(/shard \d, 8 examples, from step \d+, where it was/);
    await Promise.all([again.ends(), other.ends()]);

    const made = [again, other].map(({ output }) => Number(/(\d+) contributions? made/.exec(output)?.[1]));
    expect(made[0]! + made[1]!).toBe(3);
    const { contributions, shards, log } = await state();
    expect(shards).toMatchObject({ total: 3, contributed: 3 });
    expect(contributions.map(({ shardIndex }) => shardIndex).toSorted()).toEqual([0, 1, 2]);
    expect(new Set(contributions.map(({ clientId }) => clientId)).size).toBe(2);
    expect(log.some(({ kind }) => kind === 'resumed')).toBe(true);
    expect(await collect(verifyDataDir(campaign.dataDir))).toMatchObject([{ contributions: 3 }]);
  },
  LIMIT_MS,
);

it(
  'a worker that is killed before it trains goes on with its lease, and ends well when its quota is used',
  async () => {
    const terms = { draft: false, private: false, clientsPerShard: 1, maxPerClient: 1, closeAt: {} };
    await serve({ terms, training: { ...training, epochs: 2 } }, { records: 8, shards: 2 });
    const folder = join(campaign.folder, 'worker');
    const killed = new Worker(server.url, folder);
    const run = join(folder, 'runs', `127.0.0.1_${server.port}`, 'test.run');
    await vi.waitUntil(() => existsSync(run), { timeout: LIMIT_MS, interval: 5 });
    await killed.kill();
    expect(killed.output).not.toContain('epoch');

    const again = new Worker(server.url, folder);
    await again.ends();
    expect(again.output).toMatch(/This campaign takes 1 contribution of one .*\n1 contribution made\n$/);
    const { clients, log } = await state();
    expect(clients).toMatchObject([{ phase: 'contributed' }]);
    expect(log.some(({ kind }) => kind === 'resumed')).toBe(true);

    const more = new Worker(server.url, folder);
    await more.ends();
    expect(more.output).toMatch(/This campaign takes 1 contribution of one .*\n0 contributions made\n$/);
  },
  LIMIT_MS,
);

it(
  'two workers go through every round of a campaign of many, and end when it closes',
  async () => {
    const rounds = { count: 2, contributions: 2, optimiser: { kind: 'fed-avg' as const, learningRate: 1 } };
    await serve({ training: { ...training, epochs: 2 }, rounds }, { records: 8, shards: 2 });
    const both = ['first', 'second'].map((name) => new Worker(server.url, join(campaign.folder, name)));
    await Promise.all(both.map((worker) => worker.ends()));
    for (const { output } of both) {
      expect(output).toMatch(/round 1 of 2: shard \d, 4 examples[^]*round 2 of 2: shard \d, 4 examples/);
      expect(output).toContain('2 contributions made');
    }
    // A worker is refused as soon as the last round is over; the server closes the campaign at its next sweep.
    await vi.waitUntil(async () => (await state()).status === 'closed', { timeout: LIMIT_MS, interval: 50 });
    const { contributions, versions, round, log } = await state();
    expect(contributions.map(({ foldedVersion }) => foldedVersion)).toEqual([1, 1, 2, 2]);
    expect(versions).toHaveLength(3);
    expect(round).toEqual({ number: 2, count: 2, contributed: 2, needed: 2 });
    expect(log.map(({ message }) => message)).toContain('the campaign is closing: its 2 rounds are over');
    // The second round began where the first had led: the values came down with the data.
    const { layout } = (await (await fetch(`${server.url}/v1/campaigns/test`)).json()) as Manifest;
    const [first, second] = [contributions[0]!, contributions[3]!];
    expect(second.bytesDown).toBeGreaterThan(layout.size * Float32Array.BYTES_PER_ELEMENT);
    expect(second.localLoss).toBeLessThan(first.localLoss);
    expect(await collect(verifyDataDir(campaign.dataDir))).toMatchObject([{ versions: 3 }]);
  },
  LIMIT_MS,
);

it(
  'a worker whose campaign closes in the middle of a round says that no version holds its contribution, and ends',
  async () => {
    const rounds = { count: 2, contributions: 2, optimiser: { kind: 'fed-avg' as const, learningRate: 1 } };
    await serve({ training: { ...training, epochs: 1 }, rounds }, { records: 8, shards: 2 });
    const organiser = remoteOrganiser(server.url, await makeAdminToken(campaign.dataDir));
    const worker = new Worker(server.url, join(campaign.folder, 'worker'));
    await worker.says(/waiting for the next one/);
    await organiser.move('test', 'close');
    await worker.ends();
    expect(
      worker.output.match(/closed before this round had all its contributions; no version holds yours/g),
    ).toHaveLength(1);
    expect(worker.output).toContain('1 contribution made');
  },
  LIMIT_MS,
);

it(
  'a worker ends when what is left is for others',
  async () => {
    const terms = { draft: false, private: false, clientsPerShard: 2, closeAt: {} };
    await serve({ terms, training: { ...training, epochs: 2 } }, { records: 4, shards: 1 });
    const worker = new Worker(server.url, join(campaign.folder, 'worker'));
    await worker.ends();
    expect(worker.output).toMatch(/1 has been trained by you and can be by somebody else.*\n1 contribution made/);
    expect((await state()).shards).toEqual({ total: 1, leased: 0, contributed: 0, givenUp: 0 });
  },
  LIMIT_MS,
);

it(
  'a server that is killed in the middle of an upload gets the rest of it, once',
  async () => {
    await serve({}, { records: 8, shards: 1 });
    const { upload } = (await (await fetch(`${server.url}/v1/campaigns/test`)).json()) as { upload: { bytes: number } };
    // Nothing but an upload is that large.
    const proxy = await startBreakingProxy(server.port, { afterBytes: upload.bytes / 2 });
    const worker = new Worker(proxy.url, join(campaign.folder, 'worker'));
    await proxy.broke;
    await server.end('SIGKILL');
    server.start();
    proxy.heal();
    await worker.ends();
    expect(worker.output).toMatch(/no connection to the server[\s\S]*accepted as contribution #1/);
    expect((await state()).contributions).toHaveLength(1);
    expect(proxy.bytesUp()).toBeLessThan(1.5 * upload.bytes);
    proxy.close();
  },
  LIMIT_MS,
);

it(
  'Ctrl-C gives the shard back at once',
  async () => {
    // It never gets that far.
    await serve({ training: { ...training, epochs: 1000 } }, { records: 12, shards: 1 });
    const folder = join(campaign.folder, 'worker');
    const worker = new Worker(server.url, folder);
    await worker.says(/epoch \d+\/1000/);
    expect((await state()).shards.leased).toBe(1);
    worker.signal('SIGINT');
    await worker.ends();
    expect(worker.output).toMatch(/the shard was given back/);
    expect((await state()).shards).toMatchObject({ leased: 0, contributed: 0 });
    expect(existsSync(join(folder, 'runs', `127.0.0.1_${server.port}`, 'test.run'))).toBe(false);
  },
  LIMIT_MS,
);
