/** How far ahead we are, and what the issue "The training step" asks for at the default shape, measured. */
import { type AdapterId, adapters, isGpu } from './adapters.ts';
import type { Ceilings } from './ceilings.ts';
import { type ContenderId, contenderNames, OURS } from './contender.ts';
import { cost, type Row } from './row.ts';

const MEBI = 2 ** 20;

/** A line an adapter and rival: how many times less a step of ours costs. */
export function ratioLines(rows: readonly Row[]): string[] {
  return adaptersOf(rows).flatMap((adapter) => {
    const ours = find(rows, adapter, OURS);
    const rivals = rows.filter((row) => row.adapter === adapter && row.contender !== OURS);
    if (!ours) return [];
    return rivals.map((rival) => {
      const pair = `${contenderNames[OURS]} against ${contenderNames[rival.contender]}`;
      const [byCpu, byWall] = [rival.cpuMs / ours.cpuMs, rival.wallMs / ours.wallMs];
      return `${adapters[adapter].label}: ${pair} ${byCpu.toFixed(2)}x by CPU time, ${byWall.toFixed(2)}x by wall time`;
    });
  });
}

/** A line a target: the measured value, and whether it is met. Targets without a measurement are left out. */
export function targetLines(rows: readonly Row[], ceilings: ReadonlyMap<AdapterId, Ceilings>): string[] {
  const ours = rows.filter(({ contender }) => contender === OURS);
  const calls = ours.flatMap((row) => row.calls ?? []);
  const most = (measure: (call: (typeof calls)[number]) => number) =>
    calls.length === 0 ? undefined : Math.max(...calls.map(measure));
  return [
    atMost(
      'dispatches a step',
      120,
      most(({ dispatches }) => dispatches),
    ),
    atMost(
      'submits a step',
      4,
      most(({ submits }) => submits),
    ),
    atMost(
      'new buffers a step after warm-up',
      0,
      most(({ buffers }) => buffers),
    ),
    atMost(
      'MiB live',
      40,
      most(({ peakBytes }) => peakBytes / MEBI),
    ),
    atMost('ms of host CPU on the null adapter', 2, find(rows, 'null', OURS)?.cpuMs),
    atLeast('times stock TFJS on SwiftShader', 5, ahead(rows, 'swiftshader', 'tfjs')),
    atLeast('times jax-js on SwiftShader', 2, ahead(rows, 'swiftshader', 'jax')),
    atLeast('times stock TFJS on lavapipe', 2, ahead(rows, 'lavapipe', 'tfjs')),
    atLeast('times jax-js on lavapipe', 2, ahead(rows, 'lavapipe', 'jax')),
    atLeast('times stock TFJS in WASM', 8, ahead(rows, 'wasm', 'tfjs')),
    ...ours
      .filter(({ adapter }) => isGpu(adapter))
      .map(({ adapter, gigaflops }) => {
        const ceiling = ceilings.get(adapter);
        const share = ceiling && (100 * gigaflops) / ceiling.gemm.gigaflops;
        return atLeast(`% of the GEMM rate (${adapters[adapter].label})`, 30, share);
      }),
  ].filter((line) => line !== undefined);
}

function ahead(rows: readonly Row[], adapter: AdapterId, rivalId: ContenderId): number | undefined {
  const [ours, rival] = [find(rows, adapter, OURS), find(rows, adapter, rivalId)];
  return ours && rival && cost(rival).ms / cost(ours).ms;
}

function atMost(what: string, limit: number, measured: number | undefined): string | undefined {
  return measured === undefined ? undefined : verdict(`<= ${limit} ${what}`, measured, measured <= limit);
}

function atLeast(what: string, limit: number, measured: number | undefined): string | undefined {
  return measured === undefined ? undefined : verdict(`>= ${limit} ${what}`, measured, measured >= limit);
}

function verdict(target: string, measured: number, isMet: boolean): string {
  return `${isMet ? 'met   ' : 'missed'}  ${target}: ${Number(measured.toFixed(2))}`;
}

function find(rows: readonly Row[], adapter: AdapterId, contender: ContenderId): Row | undefined {
  return rows.find((row) => row.adapter === adapter && row.contender === contender);
}

function adaptersOf(rows: readonly Row[]): AdapterId[] {
  return [...new Set(rows.map(({ adapter }) => adapter))];
}
