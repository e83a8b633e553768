/**
 * Cross-entropy and its gradient for the logits, (softmax - label) * weight, in place: of one block of scored rows at a
 * time, so that no array of all rows' logits ever exists (as Liger Kernel, arXiv 2410.10989). The weight holds both the
 * mean over label tokens and the masking of prompts.
 */
import { type CrossEntropy, rowCount, strideOf, type SumLosses } from '../plan/index.ts';
import { KernelArguments, laneWidth } from './arguments.ts';
import { type Dispatch, type KernelTraits, linearGrid, u32, WORKGROUP_INDEX } from './dispatch.ts';
import { forEachRow, type HostMemory, rowOf } from './host-memory.ts';
import { softCapText } from './soft-cap.ts';
import { combineText, teamFor } from './team.ts';

/** Threads that read a row of logits on a GPU, and sum up all losses. */
const THREADS = 256;

/** `crossEntropy` in double precision. */
export function crossEntropyTwin(op: CrossEntropy, memory: HostMemory): void {
  const { logits, softCap, losses, rows, vocabulary } = op;
  const from = rows.of === 'scored' ? rows.from : 0;
  const { label, weight } = memory.inputs;
  forEachRow(memory, rows, (row) => {
    const z = rowOf(memory, logits, row).subarray(0, vocabulary);
    const bent = softCap === null ? z.slice() : z.map((value) => softCap * Math.tanh(value / softCap));
    const largest = bent.reduce((most, value) => Math.max(most, value), -Infinity);
    const logSum = largest + Math.log(bent.reduce((sum, value) => sum + Math.exp(value - largest), 0));
    const [own, share] = [label[from + row]!, weight[from + row]!];
    rowOf(memory, losses, from + row)[0] = share * (logSum - bent[own]!);
    bent.forEach((value, token) => {
      const slope = softCap === null ? 1 : 1 - (value / softCap) ** 2;
      z[token] = share * (Math.exp(value - logSum) - (token === own ? 1 : 0)) * slope;
    });
  });
}

/** `sumLosses` in double precision. */
export function sumLossesTwin({ losses }: SumLosses, memory: HostMemory): void {
  if (!memory.scalars.accumulates) memory.measures[0] = 0;
  forEachRow(memory, { of: 'scored', from: 0, most: losses.value.capacity }, (row) => {
    memory.measures[0]! += rowOf(memory, losses, row)[0]!;
  });
}

/** `crossEntropy` in WGSL: a team of threads a row, which reads it twice. */
export function crossEntropyDispatches(op: CrossEntropy, traits: KernelTraits): Dispatch[] {
  const { logits, losses, rows, vocabulary, softCap } = op;
  if (logits.column > 0 || logits.columns < logits.value.columns) {
    throw new RangeError('crossEntropyDispatches: logits must be whole rows of their value');
  }
  const args = new KernelArguments(laneWidth([logits]));
  const at = args.view('logits', logits, 'read_write')('row', 'i');
  const lossAt = args.view('losses', losses, 'read_write', 1);
  const label = args.buffer('label', { of: 'input', name: 'label' }, 'i32');
  const weight = args.buffer('weight', { of: 'input', name: 'weight' }, 'f32');
  const lanes = args.param('lanes', u32(strideOf(logits.value) / 4));
  const tokens = args.param('vocabulary', u32(vocabulary));
  const first = args.param('firstLabel', u32(rows.of === 'scored' ? rows.from : 0));
  const team = teamFor(traits, strideOf(logits.value) / 4, THREADS);
  const eachLane = `for (var i = lane; i < ${lanes}; i += ${team.size}u)`;
  const places = Array.from({ length: strideOf(losses.value) - 1 }, (_, i) => `${lossAt('scored', i + 1)} = 0.0;`);
  return [
    {
      label: 'crossEntropy',
      bindings: args.bindings,
      params: args.params,
      code: `${args.text}
${WORKGROUP_INDEX}
${softCapText(softCap)}
// A largest exponent and the sum of exponentials relative to it.
${combineText(team, 'vec2<f32>', 'vec2(max(a.x, b.x), a.y * exp(a.x - max(a.x, b.x)) + b.y * exp(b.x - max(a.x, b.x)))')}
const LEAST = -3.0e38;
fn tokensOf(i : u32) -> vec4<u32> { return 4u * i + vec4(0u, 1u, 2u, 3u); }
fn bent(z : Lane, i : u32) -> Lane { return select(Lane(LEAST), bend4(z), tokensOf(i) < vec4(${tokens})); }
@compute @workgroup_size(${team.size * team.count})
fn main(@builtin(workgroup_id) id : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let index = workgroupIndex(id) * ${team.count}u + thread / ${team.size}u;
  let lane = thread % ${team.size}u;
  let rows = ${args.rows(rows)};
  let row = min(index, rows - 1u);
  let scored = ${first} + row;
  let own = u32(${label}[scored]);
  var largest = Lane(LEAST);
  var sum = Lane();
  ${eachLane} {
    let z = bent(${at}, i);
    let larger = max(largest, z);
    sum = sum * exp(largest - larger) + exp(z - larger);
    largest = larger;
  }
  let most = max(max(largest.x, largest.y), max(largest.z, largest.w));
  let all = combine(thread, vec2(most, total(sum * exp(largest - most))));
  let logSum = all.x + log(all.y);
  if (index >= rows) { return; }
  let share = ${weight}[scored];
  ${eachLane} {
    let z = bent(${at}, i);
    let isOwn = select(Lane(), Lane(1.0), tokensOf(i) == vec4(own));
    if (own / 4u == i) {
      ${lossAt('scored', 0)} = share * (logSum - dot(isOwn, z));
      ${places.join(' ')}
    }
    let gradient = share * (exp(z - logSum) - isOwn) * slope4(z);
    ${at} = select(Lane(), gradient, tokensOf(i) < vec4(${tokens}));
  }
}`,
      grid: (shape) => linearGrid(Math.ceil(rowCount(rows, shape) / team.count)),
    },
  ];
}

/** `sumLosses` in WGSL: one workgroup, always in the same order. */
export function sumLossesDispatches({ losses }: SumLosses, { maxInvocations }: KernelTraits): Dispatch[] {
  const args = new KernelArguments(1);
  const lossAt = args.view('losses', losses, 'read')('i', 0);
  const measures = args.buffer('measures', { of: 'measures' }, 'f32', 'read_write');
  const team = { size: Math.min(THREADS, maxInvocations), count: 1 };
  const capacity = args.param('capacity', u32(losses.value.capacity));
  return [
    {
      label: 'sumLosses',
      bindings: args.bindings,
      params: args.params,
      code: `${combineText(team, 'f32', 'a + b')}
@compute @workgroup_size(${team.size})
fn main(@builtin(local_invocation_index) thread : u32) {
  var part = 0.0;
  for (var i = thread; i < min(step.scored, ${capacity}); i += ${team.size}u) { part += ${lossAt}; }
  let sum = combine(thread, part);
  if (thread == 0u) { ${measures}[0] = select(0.0, ${measures}[0], step.accumulates == 1u) + sum; }
}`,
      grid: () => [1, 1, 1],
    },
  ];
}
