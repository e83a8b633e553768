/**
 * The gradients of trained tables: of tokens and of learned positions. A token may stand at many places of a batch, and
 * WebGPU has no float atomics; so the threads of a token's first place add up all its places, in their order, and those of
 * other places do nothing. A step so touches only the rows that it read, however large the vocabulary, and gives the same
 * bits each time.
 */
import { type PositionGradient, strideOf, type TokenGradient, type TrainedMatrix } from '../plan/index.ts';
import { KernelArguments } from './arguments.ts';
import { type Dispatch, f32, type KernelTraits, linearGrid, u32, WORKGROUP_INDEX } from './dispatch.ts';
import { forEachRow, type HostMemory, rowOf } from './host-memory.ts';
import { teamFor } from './team.ts';

const everyPosition = { of: 'positions' } as const;

/** `tokenGradient` in double precision. */
export function tokenGradientTwin({ dy, table, scale, adds }: TokenGradient, memory: HostMemory): void {
  const gradient = gradientOfTable(memory, table, adds);
  forEachRow(memory, everyPosition, (m) => addRow(memory, gradient, table, memory.inputs.ids[m]!, dy, m, scale));
}

/** `positionGradient` in double precision. */
export function positionGradientTwin({ dy, table }: PositionGradient, memory: HostMemory): void {
  const gradient = gradientOfTable(memory, table, false);
  forEachRow(memory, everyPosition, (m) => addRow(memory, gradient, table, m % memory.shape.positions, dy, m, 1));
}

function gradientOfTable({ state, scalars }: HostMemory, table: TrainedMatrix, adds: boolean): Float64Array {
  const gradient = state.gradient.subarray(table.offset, table.offset + table.rows * strideOf(table));
  if (!adds && !scalars.accumulates) gradient.fill(0);
  return gradient;
}

function addRow(
  memory: HostMemory,
  gradient: Float64Array,
  table: TrainedMatrix,
  row: number,
  dy: TokenGradient['dy'],
  m: number,
  scale: number,
): void {
  const begin = row * strideOf(table);
  rowOf(memory, dy, m).forEach((value, i) => (gradient[begin + i]! += scale * value));
}

/** `tokenGradient` in WGSL: zeros where the step does not add, then a team of threads for each place. */
export function tokenGradientDispatches(op: TokenGradient, traits: KernelTraits): Dispatch[] {
  return op.adds ? [placesDispatch(op, traits)] : [zeroDispatch(op.table), placesDispatch(op, traits)];
}

function zeroDispatch(table: TrainedMatrix): Dispatch {
  const args = new KernelArguments(4);
  const gradient = gradientOf(args);
  const fours = (table.rows * strideOf(table)) / 4;
  const [begin, count] = [args.param('begin', u32(table.offset / 4)), args.param('fours', u32(fours))];
  return {
    label: 'tokenGradient: zeros',
    bindings: args.bindings,
    params: args.params,
    code: `${WORKGROUP_INDEX}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let four = workgroupIndex(id) * 64u + thread;
  if (four < ${count} && step.accumulates == 0u) { ${gradient}[${begin} + four] = vec4<f32>(); }
}`,
    grid: () => linearGrid(Math.ceil(fours / 64)),
  };
}

function placesDispatch({ dy, table, scale }: TokenGradient, traits: KernelTraits): Dispatch {
  assertWholeRows(dy);
  const args = new KernelArguments(4);
  const dyAt = args.view('dy', dy, 'read');
  const ids = args.buffer('ids', { of: 'input', name: 'ids' }, 'i32');
  const gradient = gradientOf(args);
  const begin = args.param('begin', u32(table.offset / 4));
  const fours = args.param('fours', u32(strideOf(table) / 4));
  const factor = args.param('scale', f32(scale));
  const team = teamFor(traits, strideOf(table) / 4);
  return {
    label: 'tokenGradient',
    bindings: args.bindings,
    params: args.params,
    code: `${args.text}
${WORKGROUP_INDEX}
@compute @workgroup_size(${team.size * team.count})
fn main(@builtin(workgroup_id) id : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let first = workgroupIndex(id) * ${team.count}u + thread / ${team.size}u;
  if (first >= step.tokens) { return; }
  let token = ${ids}[first];
  for (var m = 0u; m < first; m++) {
    if (${ids}[m] == token) { return; }
  }
  let row = ${begin} + u32(token) * ${fours};
  for (var m = first; m < step.tokens; m++) {
    if (${ids}[m] != token) { continue; }
    for (var four = thread % ${team.size}u; four < ${fours}; four += ${team.size}u) {
      ${gradient}[row + four] += ${factor} * ${dyAt('m', 'four')};
    }
  }
}`,
    grid: ({ rows, positions }) => linearGrid(Math.ceil((rows * positions) / team.count)),
  };
}

/** `positionGradient` in WGSL: a thread for four columns of each position that the table has. */
export function positionGradientDispatches({ dy, table }: PositionGradient): Dispatch[] {
  assertWholeRows(dy);
  const args = new KernelArguments(4);
  const dyAt = args.view('dy', dy, 'read');
  const gradient = gradientOf(args);
  const begin = args.param('begin', u32(table.offset / 4));
  const fours = args.param('fours', u32(strideOf(table) / 4));
  const count = table.rows * (strideOf(table) / 4);
  const last = args.param('count', u32(count));
  return [
    {
      label: 'positionGradient',
      bindings: args.bindings,
      params: args.params,
      code: `${WORKGROUP_INDEX}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let index = workgroupIndex(id) * 64u + thread;
  if (index >= ${last}) { return; }
  let position = index / ${fours};
  var sum = select(vec4<f32>(), ${gradient}[${begin} + index], step.accumulates == 1u);
  for (var m = position; position < step.positions && m < step.tokens; m += step.positions) {
    sum += ${dyAt('m', `index % ${fours}`)};
  }
  ${gradient}[${begin} + index] = sum;
}`,
      grid: () => linearGrid(Math.ceil(count / 64)),
    },
  ];
}

function gradientOf(args: KernelArguments): string {
  return args.buffer('gradient', { of: 'state', name: 'gradient' }, 'vec4<f32>', 'read_write');
}

/** @throws RangeError */
function assertWholeRows({ value, column, columns }: TokenGradient['dy']): void {
  if (column > 0 || columns < value.columns) throw new RangeError('embed-gradient: dy must be whole rows of its value');
}
