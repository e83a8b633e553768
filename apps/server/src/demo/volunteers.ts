/** Headless volunteers: real pages in a real Chromium, each donating by itself, watched through `window.oneroundStatus`. */
import { chromium, type Browser, type Page } from 'playwright-core';
import * as z from 'zod';
import { browserFlags, findBrowser } from '../../../../scripts/find-browser.mjs';

/** What a volunteer page says of itself (apps/web keeps it current). */
const statusSchema = z.object({
  phase: z.string(),
  epoch: z.number(),
  step: z.number(),
  steps: z.number(),
  tokensPerSecond: z.number(),
  loss: z.number().nullable(),
  etaSeconds: z.number().nullable(),
  bytesDown: z.number(),
  bytesUp: z.number(),
  contributionSequence: z.number().nullable(),
  heldOutBefore: z.number().nullable(),
  heldOutAfter: z.number().nullable(),
  error: z.string().nullable(),
});
export type VolunteerStatus = z.infer<typeof statusSchema>;

/** One open volunteer page. */
export interface Volunteer {
  /** From 1. */
  number: number;
  /** Null until the page has loaded. Rejects when the page crashed. */
  status(): Promise<VolunteerStatus | null>;
}

/** The pages and the browsers they run in. */
export interface Volunteers {
  list: Volunteer[];
  close(): Promise<void>;
}

/**
 * Opens `count` volunteer pages of `campaignUrl`. WebGPU pages get a browser each (pages of one browser share its GPU
 * process); the others share one browser, each in a context of its own, so that nothing is shared between them.
 * @throws Error with the line that installs a browser, when there is none
 */
export async function openVolunteers(
  campaignUrl: string,
  options: { count: number; backend: 'webgpu' | 'wasm' | 'auto' },
): Promise<Volunteers> {
  const { count, backend } = options;
  const executablePath = await findBrowser();
  const launch = () => chromium.launch({ executablePath, args: browserFlags({ webgpu: backend !== 'wasm' }) });
  const browsers: Browser[] = [];
  const list: Volunteer[] = [];
  const url = new URL(campaignUrl);
  url.searchParams.set('auto', '1');
  if (backend !== 'auto') url.searchParams.set('backend', backend);
  for (let number = 1; number <= count; number++) {
    if (browsers.length === 0 || backend === 'webgpu') browsers.push(await launch());
    const page = await browsers.at(-1)!.newPage();
    await page.goto(url.href);
    list.push({ number, status: () => readStatus(page) });
  }
  return { list, close: async () => void (await Promise.all(browsers.map((browser) => browser.close()))) };
}

async function readStatus(page: Page): Promise<VolunteerStatus | null> {
  const status: unknown = await page.evaluate('window.oneroundStatus ?? null');
  return status === null ? null : statusSchema.parse(status);
}
