/**
 * The gradients of a norm's trained gain, the sums over rows and groups of dy times the normed x, and of its bias, those of
 * dy. The statistics are computed again, once for each group, and every column's thread then reads them.
 */
import type { NormGradient } from '../plan/index.ts';
import { KernelArguments, laneWidth, writePadding } from './arguments.ts';
import { type ColumnSum, columnSumsDispatch, gradientOfVector } from './column-sums.ts';
import { type Dispatch, type KernelTraits, u32 } from './dispatch.ts';
import { forEachRow, type HostMemory, rowOf } from './host-memory.ts';
import { groupKernel, normalised } from './norm.ts';

/** `normGradient` in double precision. */
export function normGradientTwin(op: NormGradient, memory: HostMemory): void {
  const { dy, x, statistics, rows, picks, size, groups } = op;
  const dGain = gradientOfVector(memory, op.gain);
  const dBias = op.bias && gradientOfVector(memory, op.bias);
  const { position } = memory.inputs;
  forEachRow(memory, rows, (row) => {
    const input = rowOf(memory, x, picks ? position[row]! : row);
    const gradient = rowOf(memory, dy, row);
    for (let group = 0; group < groups; group++) {
      const { normed, middle, inverse } = normalised(op, input.subarray(group * size, (group + 1) * size));
      rowOf(memory, statistics, row).set([middle, inverse], 2 * group);
      normed.forEach((value, i) => {
        dGain[i]! += gradient[group * size + i]! * value;
        if (dBias) dBias[i]! += gradient[group * size + i]!;
      });
    }
  });
}

/** `normGradient` in WGSL: a launch for the statistics, and one for the sums. */
export function normGradientDispatches(op: NormGradient, traits: KernelTraits): Dispatch[] {
  return [statisticsDispatch(op, traits), sumsDispatch(op, traits)];
}

function statisticsDispatch(op: NormGradient, traits: KernelTraits): Dispatch {
  const { x, statistics, picks, size } = op;
  const args = new KernelArguments(laneWidth([x], [size]));
  const source = sourceText(args, picks);
  const xAt = args.view('x', x, 'read')('source', 'begin + i');
  const at = args.view('statistics', statistics, 'read_write', 1);
  const finish = `if (lane == 0u) {
    let group = index % params.groups;
    ${at('row', '2u * group')} = middle;
    ${at('row', '2u * group + 1u')} = inverse;
    if (group == 0u) { ${writePadding(statistics, at, 1, 'row')} }
  }`;
  const text = { source, x: xAt, gradient: 'Lane()', finish };
  return groupKernel({ ...op, kind: 'normGradient: statistics' }, args, traits, text);
}

function sumsDispatch(op: NormGradient, traits: KernelTraits): Dispatch {
  const { dy, x, statistics, rows, picks, size, groups, gain, bias } = op;
  const args = new KernelArguments(laneWidth([dy, x], [size]));
  const lane = `group * ${args.param('groupLanes', u32(args.lanes(size)))} + i`;
  const dyAt = args.view('dy', dy, 'read')('row', lane);
  const xAt = args.view('x', x, 'read')(sourceText(args, picks), lane);
  const statistic = args.view('statistics', statistics, 'read', 1);
  const normed = `(${xAt} - ${statistic('row', '2u * group')}) * ${statistic('row', '2u * group + 1u')}`;
  const sums: ColumnSum[] = [{ target: gain, term: `${dyAt} * ${normed}` }];
  if (bias) sums.push({ target: bias, term: dyAt });
  return columnSumsDispatch('normGradient', args, { sums, groups, rows }, traits);
}

/** WGSL for the row of x that goes with row `row` of dy. */
function sourceText(args: KernelArguments, picks: boolean): string {
  return picks ? `u32(${args.buffer('position', { of: 'input', name: 'position' }, 'i32')}[row])` : 'row';
}
