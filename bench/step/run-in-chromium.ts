/** Runs a task of the step bench in a headless browser of its own with a time limit. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from '@playwright/test';
import { build, preview } from 'vite';
import { browserFlags, findBrowser } from '../../scripts/find-browser.mjs';
import type { Ceilings } from './ceilings.ts';
import type { StepFigures, StepJob } from './measure.ts';
import type { StepBench } from './page/page.ts';

declare const stepBench: StepBench;

export interface ServedPage {
  url: string;
  close(): Promise<void>;
}

/** Builds the bench's page and serves it. */
export async function servePage(): Promise<ServedPage> {
  const outDir = mkdtempSync(join(tmpdir(), 'oneround-step-bench-'));
  const root = fileURLToPath(new URL('./page', import.meta.url));
  const configFile = fileURLToPath(new URL('../../vite.config.ts', import.meta.url));
  await build({ root, configFile, build: { outDir, reportCompressedSize: false }, logLevel: 'error' });
  const server = await preview({ root, configFile, build: { outDir }, preview: { port: 0, host: '127.0.0.1' } });
  return {
    url: server.resolvedUrls!.local[0]!,
    close: async () => {
      await server.close();
      rmSync(outDir, { recursive: true, force: true });
    },
  };
}

type Where = { url: string; adapter: 'swiftshader' | 'gpu'; limitMs: number };

/** @throws Error in the page's words, or saying that its time was up */
export function ceilingsInChromium(where: Where): Promise<Ceilings> {
  return withPage(where, (page) => page.evaluate(() => stepBench.ceilings()));
}

/**
 * `cpuMs`: CPU time of all processes of the browser during the steps that count.
 * @throws Error in the page's words, or saying that its time was up
 */
export function stepInChromium(where: Where, job: StepJob): Promise<{ figures: StepFigures; cpuMs: number }> {
  return withPage(where, async (page, browser) => {
    await page.evaluate((asked) => stepBench.warmUp(asked), job);
    const before = await cpuSeconds(browser);
    const figures = await page.evaluate(() => stepBench.measure());
    return { figures, cpuMs: 1000 * ((await cpuSeconds(browser)) - before) };
  });
}

async function withPage<T>({ url, adapter, limitMs }: Where, use: (page: Page, browser: Browser) => Promise<T>) {
  const flags = browserFlags({ webgpu: true });
  const browser = await chromium.launch({
    executablePath: await findBrowser(),
    args:
      adapter === 'gpu'
        ? [...flags.filter((flag) => !flag.startsWith('--use-webgpu-adapter')), '--enable-features=Vulkan']
        : flags,
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void browser.close();
  }, limitMs);
  try {
    const page = await browser.newPage();
    await page.goto(url);
    return await use(page, browser);
  } catch (error) {
    if (isLate) throw new Error(`took longer than ${limitMs / 1000} s`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
    await browser.close();
  }
}

async function cpuSeconds(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}
