/** The step bench's table, a row a line. */
import { type AdapterId, adapters } from './adapters.ts';
import type { Ceilings } from './ceilings.ts';
import type { GpuCalls } from './gpu-calls.ts';
import { type Row, rowName } from './row.ts';
import type { StepShape } from './shape.ts';

const MEBI = 2 ** 20;

interface Column {
  title: string;
  cell: (row: Row, shape: StepShape, ceilings: Ceilings | undefined) => string;
}

const columns: readonly Column[] = [
  { title: 'adapter', cell: ({ adapter }) => adapters[adapter].label },
  { title: 'contender', cell: rowName },
  { title: 'ms/step', cell: ({ wallMs }) => rounded(wallMs) },
  { title: 'CPU ms', cell: ({ cpuMs }) => rounded(cpuMs) },
  { title: 'tokens/s', cell: ({ adapter, tokensPerSecond }) => computed(adapter, tokensPerSecond.toFixed(0)) },
  { title: 'dispatches', cell: counted('dispatches') },
  { title: 'passes', cell: counted('passes') },
  { title: 'submits', cell: counted('submits') },
  { title: 'bind groups', cell: counted('bindGroups') },
  { title: 'new buffers', cell: counted('buffers') },
  { title: 'peak MiB', cell: ({ calls }) => (calls ? (calls.peakBytes / MEBI).toFixed(1) : '-') },
  { title: 'GFLOP/s', cell: ({ adapter, gigaflops }) => computed(adapter, rounded(gigaflops)) },
  {
    title: 'of GEMM',
    cell: ({ gigaflops }, _, ceilings) =>
      ceilings ? `${((100 * gigaflops) / ceilings.gemm.gigaflops).toFixed(1)} %` : '-',
  },
  { title: 'first ms', cell: ({ firstStepMs }) => firstStepMs.toFixed(0) },
  { title: 'loss 0', cell: ({ losses }) => losses?.first.toFixed(6) ?? '-' },
  { title: 'last loss', cell: ({ losses }) => losses?.last.toFixed(6) ?? '-' },
];

/** Aligned lines: words to the left, numbers to the right. */
export function tableLines(
  rows: readonly Row[],
  shape: StepShape,
  ceilings: ReadonlyMap<AdapterId, Ceilings>,
): string[] {
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row, shape, ceilings.get(row.adapter))));
  const lines = [columns.map(({ title }) => title), ...cells];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]!.length)));
  const align = (text: string, index: number) =>
    index < 2 ? text.padEnd(widths[index]!) : text.padStart(widths[index]!);
  return lines.map((line) => line.map(align).join('  '));
}

function counted(counter: keyof GpuCalls): Column['cell'] {
  return ({ calls }) => {
    const count = calls?.[counter];
    return count === undefined ? '-' : count.toFixed(Number.isInteger(count) ? 0 : 1);
  };
}

function computed(adapter: AdapterId, text: string): string {
  return adapter === 'null' ? '-' : text;
}

function rounded(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}
