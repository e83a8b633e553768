/** What a server process keeps resident, seen from outside and after a garbage collection. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ServerProcess } from './server-process.ts';

/** Flags of Node for a server whose `residentBytes` are asked. */
export const COLLECTING = [
  '--disable-warning=ExperimentalWarning',
  '--require',
  fileURLToPath(new URL('./collect-garbage.cjs', import.meta.url)),
];

const SETTLE_MS = 1500;
const SAMPLES = 5;
const SAMPLE_MS = 200;

/** The value of a series in Prometheus' text format; NaN when it is not there. */
export function figure(metrics: string, series: string): number {
  const line = metrics.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? Number.NaN : Number(line.slice(series.length + 1));
}

/** What `/metrics` says. */
export async function metricsOf(server: ServerProcess): Promise<string> {
  return (await fetch(`${server.url}/metrics`)).text();
}

/** Resident bytes of an idle server (`process_resident_memory_bytes`, median of five), which must run under `COLLECTING`. */
export async function residentBytes(server: ServerProcess): Promise<number> {
  server.signal('SIGUSR2');
  await sleep(SETTLE_MS);
  const samples: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    samples.push(figure(await metricsOf(server), 'process_resident_memory_bytes'));
    await sleep(SAMPLE_MS);
  }
  return samples.toSorted((a, b) => a - b)[SAMPLES >> 1]!;
}

/** `12.3 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** `+4.5 %`. */
export function growth(before: number, after: number): string {
  const percent = 100 * (after / before - 1);
  return `${percent < 0 ? '' : '+'}${percent.toFixed(1)} %`;
}
