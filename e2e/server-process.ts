/** A real server process on a campaign made for one test: started, killed, started again on the same data. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { campaignConfigSchema, campaignStateSchema, type CampaignConfig, type CampaignState } from '@oneround/fl-core';

const repository = resolve(import.meta.dirname, '..');
const defaultCampaign = join(repository, 'campaigns/default');

/** What a test may change of the default campaign, here on the smaller base model: fewer records, shorter training, quicker leases. */
export interface CampaignOptions {
  /** Training records taken from the default data, spread over the shards. */
  records: number;
  shards: number;
  heldOut: number;
  epochs: number;
  batchSize: number;
  leaseMs?: number;
  /** PEFT folder to start from. */
  start?: string;
  /** Clients train A as well as B. */
  trainsA?: boolean;
  terms?: Partial<CampaignConfig['terms']>;
  rounds?: CampaignConfig['rounds'];
}

/** A running server and what a test does to it. */
export interface ServerProcess {
  url: string;
  campaign: CampaignConfig;
  dataDir: string;
  state(): Promise<CampaignState>;
  /** SIGKILL: no time to tidy up. */
  kill(): Promise<void>;
  /** Starts again on the same port and data. */
  restart(): Promise<void>;
  /** Stops it and deletes its data. */
  dispose(): Promise<void>;
}

/** Writes a small campaign into a temporary folder and serves it. */
export async function startServerProcess(options: CampaignOptions): Promise<ServerProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'oneround-e2e-'));
  const campaign = await writeCampaign(folder, options);
  const dataDir = join(folder, 'data');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let child = await launch(folder, dataDir, port, url);
  const kill = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  };
  return {
    url,
    campaign,
    dataDir,
    async state() {
      const response = await fetch(`${url}/v1/campaigns/${campaign.id}/state`);
      return campaignStateSchema.parse(await response.json());
    },
    kill: () => kill('SIGKILL'),
    async restart() {
      child = await launch(folder, dataDir, port, url);
    },
    async dispose() {
      await kill('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function writeCampaign(folder: string, options: CampaignOptions): Promise<CampaignConfig> {
  const original = campaignConfigSchema.parse(
    JSON.parse(await readFile(join(defaultCampaign, 'campaign.json'), 'utf8')),
  );
  const { epochs, batchSize, shards, leaseMs, start, trainsA, terms, rounds } = options;
  const campaign = campaignConfigSchema.parse({
    ...original,
    id: 'e2e',
    model: join(repository, 'models/tiny'),
    training: { ...original.training, epochs, batchSize },
    data: { ...original.data, train: 'train.jsonl', heldOut: 'heldout.jsonl', shards },
    ...(start !== undefined && { adapter: { start } }),
    ...(trainsA && { adapter: { ...original.adapter, trains: 'a-and-b' } }),
    ...(terms && { terms }),
    ...(rounds && { rounds, merge: { screens: null, scaleSearch: false } }),
    ...(leaseMs && { lease: { ttlMs: leaseMs, heartbeatMs: Math.max(200, leaseMs / 5) } }),
  });
  await writeFile(join(folder, 'campaign.json'), JSON.stringify(campaign));
  for (const [from, to, rows] of [
    [original.data.train, 'train.jsonl', options.records],
    [original.data.heldOut, 'heldout.jsonl', options.heldOut],
  ] as const) {
    const lines = (await readFile(join(defaultCampaign, from), 'utf8')).trimEnd().split('\n');
    // Every n-th row, so that all domains are there.
    const stride = Math.max(1, Math.floor(lines.length / rows));
    const taken = lines.filter((_, index) => index % stride === 0).slice(0, rows);
    await writeFile(join(folder, to), `${taken.join('\n')}\n`);
  }
  return campaign;
}

async function launch(folder: string, dataDir: string, port: number, url: string): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [
      join(repository, 'apps/server/bin/oneround.mjs'),
      'serve',
      ...['--port', String(port), '--data', dataDir, '--campaign', join(folder, 'campaign.json')],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`the server exited with code ${child.exitCode} before it listened`);
    const answer = await fetch(`${url}/readyz`).catch(() => null); // refused until it listens
    if (answer?.ok) return child;
    await new Promise((wait) => setTimeout(wait, 100));
  }
  child.kill('SIGKILL');
  throw new Error('the server was not /readyz within 60 s');
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
