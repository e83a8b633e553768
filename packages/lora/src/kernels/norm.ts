/**
 * RMSNorm (Zhang & Sennrich 2019, arXiv 1910.07467), y = x / sqrt(mean(x^2) + eps) * gain, and LayerNorm (Ba et al. 2016,
 * arXiv 1607.06450), y = (x - mean) / sqrt(variance + eps) * gain + bias, over groups of `size` channels.
 * Backward, with n the normed x and g = dy * gain: (g - n mean(g n)) / sqrt(...), and LayerNorm also takes off mean(g).
 * Nothing is saved but x: the statistics are computed again.
 */
import { type Norm, type NormBackward, type NormSettings, rowCount } from '../plan/index.ts';
import { KernelArguments, laneWidth, writePadding } from './arguments.ts';
import { type Dispatch, f32, type KernelTraits, linearGrid, u32, WORKGROUP_INDEX } from './dispatch.ts';
import { forEachRow, type HostMemory, rowOf, vectorOf } from './host-memory.ts';
import { combineText, teamFor } from './team.ts';

/** `norm` in double precision. */
export function normTwin(op: Norm, memory: HostMemory): void {
  const { x, addend, out, rows, picks, size, groups } = op;
  const gain = vectorOf(memory, op.gain);
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
  const gain = vectorOf(memory, op.gain);
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

function normalised({ norm, eps }: NormSettings, x: Float64Array): { normed: Float64Array; inverse: number } {
  const middle = norm === 'layer' ? mean(x) : 0;
  const centred = x.map((value) => value - middle);
  const inverse = 1 / Math.sqrt(mean(centred.map((value) => value * value)) + eps);
  return { normed: centred.map((value) => value * inverse), inverse };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** `norm` in WGSL. */
export function normDispatches(op: Norm, traits: KernelTraits): Dispatch[] {
  const { x, addend, out, picks, gain, bias } = op;
  const args = new KernelArguments(laneWidth([x, addend, out], [op.size]));
  const position = picks && args.buffer('position', { of: 'input', name: 'position' }, 'i32');
  const xAt = args.view('x', x, 'read')('source', 'begin + i');
  const terms = [`normed * ${args.vector('gain', gain)('i')}`];
  if (bias) terms.push(args.vector('bias', bias)('i'));
  if (addend) terms.push(args.view('addend', addend, 'read')('row', 'begin + i'));
  const source = position ? `u32(${position}[row])` : 'row';
  return [groupKernel(op, args, traits, { source, x: xAt, gradient: 'Lane()', result: terms.join(' + ') })];
}

/** `normBackward` in WGSL. */
export function normBackwardDispatches(op: NormBackward, traits: KernelTraits): Dispatch[] {
  const { dy, x, addend, out, picked, norm } = op;
  const args = new KernelArguments(laneWidth([dy, x, addend, out], [op.size]));
  const rowOfPosition = picked && args.buffer('rowOfPosition', { of: 'input', name: 'rowOfPosition' }, 'i32');
  const xAt = args.view('x', x, 'read')('row', 'begin + i');
  const dyAt = args.view('dy', dy, 'read')('source', 'begin + i');
  const product = `${dyAt} * ${args.vector('gain', op.gain)('i')}`;
  const dx = `inverse * (gradient - normed * inverse * sums.y${norm === 'layer' ? ' - sums.z' : ''})`;
  const addendAt = addend && args.view('addend', addend, 'read')('row', 'begin + i');
  return [
    groupKernel(op, args, traits, {
      source: rowOfPosition ? `u32(${rowOfPosition}[row])` : 'row',
      x: xAt,
      gradient: rowOfPosition ? `select(Lane(), ${product}, source < step.scored)` : product,
      result: addendAt ? `${dx} + ${addendAt}` : dx,
    }),
  ];
}

/**
 * A team of threads a group. WGSL for one lane `i` of it: `x` and, going backward, `gradient` make the `sums`, means over
 * the group of c c, gradient c and gradient with c = x - middle; they and `normed` make the `result`.
 */
function groupKernel(
  op: Norm | NormBackward,
  args: KernelArguments,
  traits: KernelTraits,
  text: { source: string; x: string; gradient: string; result: string },
): Dispatch {
  const { kind, norm, size, groups, eps, rows, out } = op;
  const outAt = args.view('out', out, 'read_write');
  const team = teamFor(traits, args.lanes(size));
  const params = {
    lanes: args.param('lanes', u32(args.lanes(size))),
    groups: args.param('groups', u32(groups)),
    channels: args.param('channels', f32(size)),
    eps: args.param('eps', f32(eps)),
  };
  const eachLane = `for (var i = lane; i < ${params.lanes}; i += ${team.size}u)`;
  const middle = `var first = vec3<f32>();
  ${eachLane} { first.x += total(${text.x}); }
  let middle = combine(thread, first).x / ${params.channels};`;
  return {
    label: kind,
    bindings: args.bindings,
    params: args.params,
    code: `${args.text}
${WORKGROUP_INDEX}
${combineText(team, 'vec3<f32>', 'a + b')}
@compute @workgroup_size(${team.size * team.count})
fn main(@builtin(workgroup_id) id : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let index = workgroupIndex(id) * ${team.count}u + thread / ${team.size}u;
  let lane = thread % ${team.size}u;
  let rows = ${args.rows(rows)};
  let row = min(index / ${params.groups}, rows - 1u);
  let begin = index % ${params.groups} * ${params.lanes};
  let source = ${text.source};
  ${norm === 'layer' ? middle : 'let middle = 0.0;'}
  var part = vec3<f32>();
  ${eachLane} {
    let centred = ${text.x} - middle;
    let gradient = ${text.gradient};
    part += vec3(total(centred * centred), total(gradient * centred), total(gradient));
  }
  let sums = combine(thread, part) / ${params.channels};
  let inverse = inverseSqrt(sums.x + ${params.eps});
  if (index >= rows * ${params.groups}) { return; }
  ${eachLane} {
    let normed = (${text.x} - middle) * inverse;
    let gradient = ${text.gradient};
    ${outAt('row', 'begin + i')} = ${text.result};
  }
  if (begin + lane == 0u) { ${writePadding(out, outAt, args.width, 'row')} }
}`,
    grid: (shape) => linearGrid(Math.ceil((rowCount(rows, shape) * groups) / team.count)),
  };
}
