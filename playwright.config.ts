/**
 * End-to-end tests: real Chromium pages against real server processes on random ports. Each test starts the servers it
 * needs (e2e/server-process.ts), so none depends on another. Two files at a time: a test is waiting for half of its time.
 * What measures time runs alone, after the others; by itself with `--no-deps`.
 */
import { defineConfig } from '@playwright/test';
import { browserFlags, findBrowser } from './scripts/find-browser.mjs';

const alone = 'responsiveness.e2e.ts';

export default defineConfig({
  testDir: 'e2e',
  testMatch: '*.e2e.ts',
  workers: 2,
  projects: [
    { name: 'together', testIgnore: alone },
    { name: 'alone', testMatch: alone, dependencies: ['together'] },
  ],
  timeout: 240_000,
  expect: { timeout: 30_000 },
  reporter: [['list']],
  forbidOnly: process.env.CI !== undefined,
  use: {
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: { executablePath: await findBrowser(), args: browserFlags({ webgpu: false }) },
  },
});
