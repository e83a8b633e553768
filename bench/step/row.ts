/** One measured contender on one adapter: the table's row, and what ratios and targets are computed from. */
import { type AdapterId, adapters, isGpu } from './adapters.ts';
import { type ContenderId, contenderNames } from './contender.ts';
import type { GpuCalls } from './gpu-calls.ts';
import type { StepFigures } from './measure.ts';
import { flopsPerStep, type StepShape, tokensPerStep, type Trained } from './shape.ts';

export interface Row {
  adapter: AdapterId;
  contender: ContenderId;
  trains: Trained;
  /** Median of the steps that count. */
  wallMs: number;
  /** User and system time of all the contender's processes, mean of the steps that count. */
  cpuMs: number;
  tokensPerSecond: number;
  gigaflops: number;
  firstStepMs: number;
  /** Undefined in WASM. */
  calls: GpuCalls | undefined;
  /** At the first step and the last; undefined on the null adapter, which computes nothing. */
  losses: { first: number; last: number } | undefined;
}

export function makeRow(
  adapter: AdapterId,
  contender: ContenderId,
  shape: StepShape,
  { figures, cpuMs }: { figures: StepFigures; cpuMs: number },
): Row {
  const { trains, stepMs, losses, calls, firstStepMs } = figures;
  const wallMs = median(stepMs);
  return {
    ...{ adapter, contender, trains, wallMs, calls, firstStepMs },
    cpuMs: cpuMs / stepMs.length,
    tokensPerSecond: (1000 * tokensPerStep(shape)) / wallMs,
    gigaflops: flopsPerStep({ ...shape, trained: trains }) / wallMs / 1e6,
    losses: adapter === 'null' ? undefined : { first: losses[0]!, last: losses.at(-1)! },
  };
}

/** The contender's name; marked when it trains less than it was asked for. */
export function rowName({ contender, trains }: Row, shape: StepShape): string {
  return contenderNames[contender] + (trains === shape.trained ? '' : ' (B only)');
}

/** What a step costs on the row's adapter: on a GPU its wall time, elsewhere CPU time, which other load leaves alone. */
export function cost({ adapter, wallMs, cpuMs }: Row): { ms: number; kind: 'wall' | 'CPU' } {
  return isGpu(adapter) ? { ms: wallMs, kind: 'wall' } : { ms: cpuMs, kind: 'CPU' };
}

/** As "Chromium, SwiftShader: ours, TFJS path". */
export function rowTitle(row: Row): string {
  return `${adapters[row.adapter].label}: ${contenderNames[row.contender]}`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const last = sorted.length - 1;
  return (sorted[Math.floor(last / 2)]! + sorted[Math.ceil(last / 2)]!) / 2;
}
