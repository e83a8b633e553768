/**
 * End-to-end tests: real Chromium pages against real server processes on random ports. Each test starts the servers it
 * needs (e2e/server-process.ts), so none depends on another. One worker: two cores are busy with one test's clients.
 */
import { defineConfig } from '@playwright/test';
import { browserFlags, findBrowser } from './scripts/find-browser.mjs';

export default defineConfig({
  testDir: 'e2e',
  testMatch: '*.e2e.ts',
  workers: 1,
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
