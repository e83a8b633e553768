/** What a virtual machine's host gave to others while this machine had work to do. Nothing here can make up for it. */
import { existsSync, readFileSync } from 'node:fs';

const STAT = '/proc/stat';
/** Of the first line's figures (proc_stat(5)): those up to `steal`, which are all of a processor's time. */
const FIGURES = 8;

/** Ticks since the machine started, of all processors. */
export interface ProcessorTime {
  total: number;
  idle: number;
  stolen: number;
}

/** Null where there is no such file: not on Linux. */
export function processorTime(): ProcessorTime | null {
  if (!existsSync(STAT)) return null;
  const [line] = readFileSync(STAT, 'utf8').split('\n');
  const ticks = line!.trim().split(/\s+/).slice(1).slice(0, FIGURES).map(Number);
  const [, , , idle, waiting, , , stolen] = ticks as [number, number, number, number, number, number, number, number];
  return { total: ticks.reduce((sum, each) => sum + each, 0), idle: idle + waiting, stolen };
}

/** Of the time in which there was work to do, how much went to others, in percent; NaN where nobody says. */
export function stolenPercent(before: ProcessorTime | null, after: ProcessorTime | null): number {
  if (!before || !after) return Number.NaN;
  const busy = after.total - before.total - (after.idle - before.idle);
  return busy === 0 ? 0 : (100 * (after.stolen - before.stolen)) / busy;
}
