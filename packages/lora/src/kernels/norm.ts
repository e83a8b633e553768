/**
 * RMSNorm (Zhang & Sennrich 2019, arXiv 1910.07467), y = x / sqrt(mean(x^2) + eps) * gain, and LayerNorm (Ba et al. 2016,
 * arXiv 1607.06450), y = (x - mean) / sqrt(variance + eps) * gain + bias, over groups of `size` channels.
 * Backward, with n the normed x and g = dy * gain: (g - n mean(g n)) / sqrt(...), and LayerNorm also takes off mean(g).
 * Nothing is saved but x: the statistics are computed again.
 */
import { type Norm, type NormBackward, type NormSettings, rowCount, type Rows, type View } from '../plan/index.ts';
import { KernelArguments, laneWidth, writePadding } from './arguments.ts';
import { type Dispatch, f32, type KernelTraits, linearGrid, u32, WORKGROUP_INDEX } from './dispatch.ts';
import { forEachRow, type HostMemory, rowOf, vectorOf } from './host-memory.ts';
import { combineText, teamFor } from './team.ts';

/** `norm` in double precision. */
export function normTwin(op: Norm, memory: HostMemory): void {
  const { x, addend, out, rows, picks, size, groups } = op;
  const gain = gainOf(op, memory);
  const bias = op.bias && vectorOf(memory, op.bias);
  const { position } = memory.inputs;
  forEachRow(memory, rows, (row) => {
    const input = rowOf(memory, x, picks ? position[row]! : row);
    const y = rowOf(memory, out, row);
    const earlier = addend && rowOf(memory, addend, row).slice();
    for (let group = 0; group < groups; group++) {
      const { normed } = normalised(op, input.subarray(group * size, (group + 1) * size));
      normed.forEach((value, i) => {
        y[group * size + i] = value * gain[i]! + (bias?.[i] ?? 0) + (earlier?.[group * size + i] ?? 0);
      });
    }
  });
}

/** `normBackward` in double precision. */
export function normBackwardTwin(op: NormBackward, memory: HostMemory): void {
  const { dy, x, addend, out, rows, picked, size, groups, norm } = op;
  const gain = gainOf(op, memory);
  const { rowOfPosition } = memory.inputs;
  forEachRow(memory, rows, (row) => {
    const from = picked ? rowOfPosition[row]! : row;
    const gradient = picked && from >= memory.shape.scored ? null : rowOf(memory, dy, from);
    const input = rowOf(memory, x, row);
    const dx = rowOf(memory, out, row);
    const earlier = addend && rowOf(memory, addend, row).slice();
    for (let group = 0; group < groups; group++) {
      const begin = group * size;
      const { normed, inverse } = normalised(op, input.subarray(begin, begin + size));
      const g = Float64Array.from(normed, (_, i) => (gradient ? gradient[begin + i]! * gain[i]! : 0));
      const along = mean(g.map((value, i) => value * normed[i]!));
      const middle = norm === 'layer' ? mean(g) : 0;
      g.forEach((value, i) => {
        dx[begin + i] = inverse * (value - middle - normed[i]! * along) + (earlier?.[begin + i] ?? 0);
      });
    }
  });
}

/** What channels are multiplied with. */
function gainOf({ gain, hasUnitOffset }: NormSettings, memory: HostMemory): Float64Array {
  const values = vectorOf(memory, gain);
  return hasUnitOffset ? values.map((value) => 1 + value) : values;
}

/** One group, centred (LayerNorm) and scaled to unit spread, with the mean and the inverse spread that did it. */
export function normalised({ norm, eps }: Pick<NormSettings, 'norm' | 'eps'>, x: Float64Array) {
  const middle = norm === 'layer' ? mean(x) : 0;
  const centred = x.map((value) => value - middle);
  const inverse = 1 / Math.sqrt(mean(centred.map((value) => value * value)) + eps);
  return { normed: centred.map((value) => value * inverse), middle, inverse };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** `norm` in WGSL. */
export function normDispatches(op: Norm, traits: KernelTraits): Dispatch[] {
  const { x, addend, out, picks, bias } = op;
  const args = new KernelArguments(laneWidth([x, addend, out], [op.size]));
  const position = picks && args.buffer('position', { of: 'input', name: 'position' }, 'i32');
  const xAt = args.view('x', x, 'read')('source', 'begin + i');
  const terms = [`normed * ${gainText(op, args)}`];
  if (bias) terms.push(args.vector('bias', bias)('i'));
  if (addend) terms.push(args.view('addend', addend, 'read')('row', 'begin + i'));
  const source = position ? `u32(${position}[row])` : 'row';
  const finish = writeResult(out, args, { x: xAt, gradient: 'Lane()', result: terms.join(' + ') });
  return [groupKernel(op, args, traits, { source, x: xAt, gradient: 'Lane()', finish })];
}

/** `normBackward` in WGSL. */
export function normBackwardDispatches(op: NormBackward, traits: KernelTraits): Dispatch[] {
  const { dy, x, addend, out, picked, norm } = op;
  const args = new KernelArguments(laneWidth([dy, x, addend, out], [op.size]));
  const rowOfPosition = picked && args.buffer('rowOfPosition', { of: 'input', name: 'rowOfPosition' }, 'i32');
  const xAt = args.view('x', x, 'read')('row', 'begin + i');
  const dyAt = args.view('dy', dy, 'read')('source', 'begin + i');
  const product = `${dyAt} * ${gainText(op, args)}`;
  const gradient = rowOfPosition ? `select(Lane(), ${product}, source < step.scored)` : product;
  const dx = `inverse * (gradient - normed * inverse * sums.y${norm === 'layer' ? ' - sums.z' : ''})`;
  const addendAt = addend && args.view('addend', addend, 'read')('row', 'begin + i');
  const finish = writeResult(out, args, { x: xAt, gradient, result: addendAt ? `${dx} + ${addendAt}` : dx });
  const source = rowOfPosition ? `u32(${rowOfPosition}[row])` : 'row';
  return [groupKernel(op, args, traits, { source, x: xAt, gradient, finish })];
}

function gainText({ gain, hasUnitOffset }: NormSettings, args: KernelArguments): string {
  const value = args.vector('gain', gain)('i');
  return hasUnitOffset ? `(1.0 + ${value})` : value;
}

/** WGSL that writes `result`, an expression over `normed` and `gradient`, to every lane of a group. */
function writeResult(
  out: View,
  args: KernelArguments,
  { x, gradient, result }: { x: string; gradient: string; result: string },
): string {
  const outAt = args.view('out', out, 'read_write');
  return `${EACH_LANE} {
    let normed = (${x} - middle) * inverse;
    let gradient = ${gradient};
    ${outAt('row', 'begin + i')} = ${result};
  }
  if (begin + lane == 0u) { ${writePadding(out, outAt, args.width, 'row')} }`;
}

const EACH_LANE = 'for (var i = lane; i < params.lanes; i += TEAM)';

/**
 * A team of threads a group. WGSL for one lane `i` of it: `x` and, going backward, `gradient` make the `sums`, means over
 * the group of c c, gradient c and gradient with c = x - middle. `finish` is what is then done with them, with `middle`
 * and with `inverse`, the spread's.
 */
export function groupKernel(
  { kind, norm, size, groups, eps, rows }: NormSettings & { kind: string; rows: Rows },
  args: KernelArguments,
  traits: KernelTraits,
  text: { source: string; x: string; gradient: string; finish: string },
): Dispatch {
  const team = teamFor(traits, args.lanes(size));
  const params = {
    lanes: args.param('lanes', u32(args.lanes(size))),
    groups: args.param('groups', u32(groups)),
    channels: args.param('channels', f32(size)),
    eps: args.param('eps', f32(eps)),
  };
  const middle = `var first = vec3<f32>();
  ${EACH_LANE} { first.x += total(${text.x}); }
  let middle = combine(thread, first).x / ${params.channels};`;
  return {
    label: kind,
    bindings: args.bindings,
    params: args.params,
    code: `${args.text}
${WORKGROUP_INDEX}
${combineText(team, 'vec3<f32>', 'a + b')}
const TEAM = ${team.size}u;
@compute @workgroup_size(${team.size * team.count})
fn main(@builtin(workgroup_id) id : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let index = workgroupIndex(id) * ${team.count}u + thread / TEAM;
  let lane = thread % TEAM;
  let rows = ${args.rows(rows)};
  let row = min(index / ${params.groups}, rows - 1u);
  let begin = index % ${params.groups} * ${params.lanes};
  let source = ${text.source};
  ${norm === 'layer' ? middle : 'let middle = 0.0;'}
  var part = vec3<f32>();
  ${EACH_LANE} {
    let centred = ${text.x} - middle;
    let gradient = ${text.gradient};
    part += vec3(total(centred * centred), total(gradient * centred), total(gradient));
  }
  let sums = combine(thread, part) / ${params.channels};
  let inverse = inverseSqrt(sums.x + ${params.eps});
  if (index >= rows * ${params.groups}) { return; }
  ${text.finish}
}`,
    grid: (shape) => linearGrid(Math.ceil((rowCount(rows, shape) * groups) / team.count)),
  };
}
