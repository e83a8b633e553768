/** The event loop of a server, phase by phase: read inside the server (perf_hooks, every 10 ms), printed as a table. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { CampaignState } from '@oneround/fl-core';
import { figure, metricsOf } from '../../apps/server/src/testing/resident-memory.ts';
import type { ServerProcess } from '../../apps/server/src/testing/server-process.ts';
import { processorTime, stolenPercent } from './stolen-time.ts';

const run = fileURLToPath(new URL('../../scripts/run.mjs', import.meta.url));
const program = fileURLToPath(new URL('./idle-process.ts', import.meta.url));
const TARGET_MS = 50;
const NAME_WIDTH = 42;
const POLL_MS = 500;

/** What a phase has to say, given how much a counter of the server's grew in it. */
export type Lines = (grown: (series: string) => number) => string[];

export class Phases {
  readonly #idle: ChildProcess;
  /** Phases whose p99 was not below the target. */
  readonly missed: string[] = [];

  constructor() {
    this.#idle = spawn(process.execPath, [run, program], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  printHead(title: string): void {
    console.log(`\n  ${title}`);
    console.log(`  ${''.padEnd(NAME_WIDTH)}   p99    max   idle process   server's   stolen by   target`);
    console.log(`  ${''.padEnd(NAME_WIDTH)}    ms     ms    beside, p99   CPU, %     host, %   p99 < ${TARGET_MS}`);
  }

  /**
   * Once the server has scored all it has, runs `work` and prints a row, then what `work` has to say, and how long the server goes
   * on scoring what has come meanwhile.
   */
  async measure(name: string, server: ServerProcess, work: () => Promise<Lines>): Promise<void> {
    await untilScored(server);
    await this.#idleP99();
    const before = await metricsOf(server);
    const timeBefore = processorTime();
    const began = performance.now();
    const lines = await work();
    const seconds = (performance.now() - began) / 1000;
    const stolen = stolenPercent(timeBefore, processorTime());
    const after = await metricsOf(server);
    const lag = (which: string) => figure(after, `nodejs_eventloop_lag_${which}_seconds`) * 1000;
    const grown = (series: string) => figure(after, series) - figure(before, series);
    const cpu = grown('process_cpu_seconds_total');
    const beside = await this.#idleP99();
    const isMet = lag('p99') < TARGET_MS;
    if (!isMet) this.missed.push(name);
    const cells = [
      lag('p99').toFixed(0).padStart(5),
      lag('max').toFixed(0).padStart(6),
      beside.toFixed(0).padStart(14),
      ((100 * cpu) / seconds).toFixed(0).padStart(10),
      stolen.toFixed(0).padStart(11),
    ];
    console.log(`  ${name.padEnd(NAME_WIDTH)} ${cells.join(' ')}   ${isMet ? 'met' : 'MISSED'}`);
    for (const line of lines(grown)) console.log(`      ${line}`);
    const scoringMs = await untilScored(server);
    if (scoringMs > POLL_MS) console.log(`      scored ${(scoringMs / 1000).toFixed(0)} s later`);
  }

  end(): void {
    this.#idle.kill();
  }

  async #idleP99(): Promise<number> {
    const answered = once(this.#idle, 'message');
    this.#idle.send('p99');
    return ((await answered) as [number])[0];
  }
}

/** Scoring takes a core, and goes on for a while after uploads: it would count as the next phase's. @returns milliseconds */
export async function untilScored({ url }: ServerProcess): Promise<number> {
  const began = performance.now();
  for (;;) {
    const { versions, contributions } = (await (await fetch(`${url}/v1/campaigns/test/state`)).json()) as CampaignState;
    if (versions.every(({ evaluation }) => evaluation) && contributions.every(({ alone }) => alone))
      return performance.now() - began;
    await sleep(POLL_MS);
  }
}
