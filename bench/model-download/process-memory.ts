/** Peak memory of a browser's processes, as Linux counts it. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { CDPSession } from '@playwright/test';

/** Peak resident bytes since `reset`, of the page's process and of the GPU's. */
export class ProcessMemory {
  readonly #browser: CDPSession;

  constructor(browser: CDPSession) {
    this.#browser = browser;
  }

  async reset(): Promise<void> {
    for (const { id } of await this.#processes()) writeFileSync(`/proc/${id}/clear_refs`, '5');
  }

  async peaks(): Promise<{ page: number; gpu: number }> {
    const processes = await this.#processes();
    const largest = (type: string) =>
      Math.max(0, ...processes.filter((process) => process.type === type).map(({ id }) => peakOf(id)));
    return { page: largest('renderer'), gpu: largest('GPU') };
  }

  async #processes() {
    const { processInfo } = await this.#browser.send('SystemInfo.getProcessInfo');
    return processInfo;
  }
}

function peakOf(pid: number): number {
  return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
}
