/**
 * A base model of 512 MiB on its way into a real browser: first visit, a network that is gone for a while, second visit,
 * and from the store to the backends. The page's own code runs in a worker; server and store are the real ones.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FileRef } from '@oneround/fl-core';
import { chromium, type BrowserContext } from '@playwright/test';
import { pino } from 'pino';
import { build } from 'vite';
import { makeHttpServer } from '../apps/server/src/http/index.ts';
import { startBreakingRelay, type BreakingRelay } from '../e2e/breaking-relay.ts';
import { browserFlags, findBrowser } from '../scripts/find-browser.mjs';
import type { BenchAnswer, BenchJob } from './model-download/bench.worker.ts';
import { ProcessMemory } from './model-download/process-memory.ts';
import { writeSyntheticModel } from './model-download/synthetic-model.ts';

const MODEL_BYTES = 512 * 2 ** 20;
const OUTAGE_MS = 3_000;
const CUT_AFTER_BYTES = 3 * 2 ** 20;

export async function benchModelDownload(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'oneround-bench-'));
  const server = await serve(folder);
  try {
    const { bytes, shards } = server;
    console.log(`  ${megabytes(bytes)} in ${shards} shards over loopback, f16; peaks are resident memory of a process`);
    await inBrowser(join(folder, 'interrupted'), server.relay, async (visit) => {
      await visit('first visit, network gone for 3 s', { job: 'download' }, () => breakOnce(server.relay, bytes / 2));
      const { ranges } = server.relay;
      console.log(
        `    ${ranges.length} requests, ${ranges.filter((range) => range !== null).length} of them for a rest;`,
      );
      console.log(`    ${megabytes(server.relay.bytes())} crossed the network for a model of ${megabytes(bytes)}`);
    });
    const profile = join(folder, 'profile');
    await inBrowser(profile, server.relay, (visit) => visit('first visit: fetch, check, keep', { job: 'download' }));
    const before = server.relay.bytes();
    await inBrowser(profile, server.relay, async (visit) => {
      await visit('second visit', { job: 'download' });
      console.log(`    ${server.relay.bytes() - before} bytes of the model crossed the network`);
      await visit('read back and check', { job: 'read' });
    });
    for (const backend of ['wasm', 'webgpu'] as const) {
      await inBrowser(profile, server.relay, (visit) =>
        visit(`from the store to ${backend}`, { job: 'load', backend }),
      );
    }
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const none = () => Promise.reject(new Error('the bench serves files only'));

/** The model, and the page that loads it, behind a relay that can fail. */
async function serve(folder: string) {
  const [models, webRoot] = [join(folder, 'models'), join(folder, 'page')];
  mkdirSync(models);
  const files = await writeSyntheticModel(models, MODEL_BYTES);
  await build({
    root: fileURLToPath(new URL('./model-download', import.meta.url)),
    configFile: fileURLToPath(new URL('../vite.config.ts', import.meta.url)),
    build: { outDir: webRoot },
    logLevel: 'error',
  });
  writeFileSync(join(webRoot, 'files.json'), JSON.stringify(files));
  const byName = new Map<string, FileRef>(files.map((file) => [file.sha256, file]));
  const http = await makeHttpServer(
    {
      servedFile: async (sha256) => {
        const file = byName.get(sha256);
        return file ? { path: join(models, sha256), name: file.path, bytes: file.bytes } : null;
      },
      ...{
        campaigns: async () => [],
        manifests: async () => [],
        contributions: none,
        stateJson: none,
        exportVersion: none,
      },
    },
    { webRoot, logger: pino({ level: 'error' }, pino.destination(2)) },
  );
  const relay = await startBreakingRelay(await http.listen({ port: 0, host: '127.0.0.1' }), '/v1/files/');
  return {
    relay,
    shards: files.length,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    close: async () => {
      relay.close();
      await http.close();
    },
  };
}

type Visit = (label: string, job: BenchJob, meanwhile?: () => Promise<void>) => Promise<void>;

/** Opens the page in a browser of its own on `profile`, does jobs in it and prints what they took. */
async function inBrowser(profile: string, { url }: BreakingRelay, use: (visit: Visit) => Promise<void>): Promise<void> {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: await findBrowser(),
    args: browserFlags({ webgpu: true }),
  });
  try {
    const memory = new ProcessMemory(await browserSession(context));
    const page = await context.newPage();
    await page.goto(url);
    await use(async (label, job, meanwhile) => {
      await memory.reset();
      const before = await memory.peaks();
      const running = page.evaluate(
        (asked) => (globalThis as unknown as { runJob: (job: BenchJob) => Promise<BenchAnswer> }).runJob(asked),
        job,
      );
      await meanwhile?.();
      const answer = await running;
      if ('error' in answer) throw new Error(`${label}: ${answer.error}`);
      const after = await memory.peaks();
      const rate = answer.bytes > 0 ? `, ${(answer.bytes / 1e6 / answer.seconds).toFixed(0)} MB/s` : '';
      console.log(`  ${label}: ${answer.seconds.toFixed(2)} s${rate} (${answer.note})`);
      const peak = (kind: 'page' | 'gpu') =>
        `${kind} ${megabytes(after[kind])} (+${megabytes(Math.max(0, after[kind] - before[kind]))})`;
      console.log(`    peak memory: ${peak('page')}, ${peak('gpu')}`);
    });
  } finally {
    await context.close();
  }
}

async function browserSession(context: BrowserContext) {
  const browser = context.browser();
  if (!browser) throw new Error('the browser is gone');
  return browser.newBrowserCDPSession();
}

/** Lets half of the model pass, cuts the next three files in the middle, and is a dead network for a while. */
async function breakOnce(relay: BreakingRelay, afterBytes: number): Promise<void> {
  while (relay.bytes() < afterBytes) await new Promise((resolve) => setTimeout(resolve, 10));
  relay.breakOff(CUT_AFTER_BYTES, 3);
  await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
  relay.heal();
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
