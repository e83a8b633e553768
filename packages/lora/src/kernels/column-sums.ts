/**
 * Sums over the rows of tall arrays, column by column, written to the flat gradient: what the gradients of biases and of
 * norms come down to. A thread has one lane of columns; on GPUs, 16 threads share its rows and add their sums up in a
 * fixed order, so that a step gives the same bits each time.
 */
import { type Rows, strideOf, type TrainedVector } from '../plan/index.ts';
import type { KernelArguments } from './arguments.ts';
import { type Dispatch, type KernelTraits, u32 } from './dispatch.ts';
import type { HostMemory } from './host-memory.ts';

/** `target`'s gradient gets the sum of `term`, WGSL for lane `i` of group `group` in row `row`. */
export interface ColumnSum {
  target: TrainedVector;
  term: string;
}

/** The launch of one or more sums over the same rows, of vectors of one size that stand `groups` times in a row. */
export function columnSumsDispatch(
  label: string,
  args: KernelArguments,
  { sums, groups, rows }: { sums: readonly ColumnSum[]; groups: number; rows: Rows },
  { isSoftware }: KernelTraits,
): Dispatch {
  const [wide, slices] = isSoftware ? [16, 1] : [8, 16];
  const { size } = sums[0]!.target;
  const lanes = args.param('lanes', u32(args.lanes(size)));
  const padded = strideOf({ columns: size }) / args.width;
  const paddedLanes = args.param('paddedLanes', u32(padded));
  const count = args.rows(rows);
  const gradient = args.buffer('gradient', { of: 'state', name: 'gradient' }, args.element, 'read_write');
  const writes = sums.map(({ target }, s) => {
    const begin = args.param(`begin${s}`, u32(target.offset / args.width));
    return `write(${begin} + i, all${s});`;
  });
  return {
    label: `${label}, ${isSoftware ? 'registers' : 'shared'}`,
    bindings: args.bindings,
    params: args.params,
    code: `${args.text}
${acrossSlices(wide, slices)}
fn write(at : u32, sum : Lane) { ${gradient}[at] = select(sum, ${gradient}[at] + sum, step.accumulates == 1u); }

@compute @workgroup_size(${wide * slices})
fn main(@builtin(workgroup_id) id : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let i = id.x * ${wide}u + thread % ${wide}u;
  ${sums.map((_, s) => `var sum${s} = Lane();`).join('\n  ')}
  for (var row = thread / ${wide}u; i < ${lanes} && row < ${count}; row += ${slices}u) {
    for (var group = 0u; group < ${groups}u; group++) {
      ${sums.map(({ term }, s) => `sum${s} += ${term};`).join('\n      ')}
    }
  }
  ${sums.map((_, s) => `let all${s} = acrossSlices(thread, sum${s});`).join('\n  ')}
  if (thread < ${wide}u && i < ${paddedLanes}) { ${writes.join(' ')} }
}`,
    grid: () => [Math.ceil(padded / wide), 1, 1],
  };
}

/** WGSL: every thread gets the sum over all slices of its lane. */
function acrossSlices(wide: number, slices: number): string {
  if (slices === 1) return 'fn acrossSlices(thread : u32, sum : Lane) -> Lane { return sum; }';
  return `var<workgroup> parts : array<Lane, ${wide * slices}>;
fn acrossSlices(thread : u32, sum : Lane) -> Lane {
  workgroupBarrier();
  parts[thread] = sum;
  workgroupBarrier();
  var all = Lane();
  for (var slice = 0u; slice < ${slices}u; slice++) { all += parts[slice * ${wide}u + thread % ${wide}u]; }
  return all;
}`;
}

/** The gradient of a trained vector in the twin's memory, padding included: zero, unless the step adds to earlier batches'. */
export function gradientOfVector({ state, scalars }: HostMemory, { offset, size }: TrainedVector): Float64Array {
  const gradient = state.gradient.subarray(offset, offset + strideOf({ columns: size }));
  if (!scalars.accumulates) gradient.fill(0);
  return gradient;
}
