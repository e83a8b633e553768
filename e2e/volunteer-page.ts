/** The volunteer page as a test drives it. */
import { expect, type Page } from '@playwright/test';

/** `window.oneroundStatus`, which the page keeps current for tools like these. */
export interface PageStatus {
  phase: string;
  epoch: number;
  step: number;
  steps: number;
  tokensPerSecond: number;
  bytesDown: number;
  bytesUp: number;
  contributionSequence: number | null;
  heldOutBefore: number | null;
  heldOutAfter: number | null;
  error: string | null;
}

export async function statusOf(page: Page): Promise<PageStatus | null> {
  return page.evaluate(() => (globalThis as { oneroundStatus?: PageStatus }).oneroundStatus ?? null);
}

/** Opens the page on a backend and presses Donate. `eco` trains 30 % of the time: long enough to interrupt. */
export async function donate(
  page: Page,
  campaignUrl: string,
  backend: 'wasm' | 'webgpu',
  power: 'full' | 'eco' = 'full',
): Promise<void> {
  await page.goto(`${campaignUrl}?backend=${backend}&power=${power}`);
  await page.getByTestId('donate').click();
}

/** Waits until at least `step` optimiser steps are done. */
export async function waitForStep(page: Page, step: number): Promise<void> {
  await expect
    .poll(async () => (await statusOf(page))?.step ?? 0, { timeout: 180_000, message: `optimiser step ${step}` })
    .toBeGreaterThanOrEqual(step);
}

/** Waits until this volunteer's contribution is merged, and returns its place in the ledger. */
export async function waitForMerge(page: Page): Promise<number> {
  await expect(page.getByTestId('result')).toContainText(/Merged as contribution #\d+/, { timeout: 180_000 });
  const status = await statusOf(page);
  expect(status?.error ?? null).toBeNull();
  return status!.contributionSequence!;
}
