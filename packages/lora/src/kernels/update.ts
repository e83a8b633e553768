/**
 * AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) on the flat parameters, the gradient first scaled by
 * min(1, clipNorm / (norm + 1e-6)). A loss or norm that is not finite leaves everything as it was, for good.
 */
import { KernelArguments } from './arguments.ts';
import { type Dispatch, type KernelTraits, PARTIAL_SUMS, wgslFloat } from './dispatch.ts';
import type { FlatState, HostMemory } from './host-memory.ts';
import { combineText } from './team.ts';

export const BETA_1 = 0.9;
export const BETA_2 = 0.999;
export const EPSILON = 1e-8;

/** Where it is noted among the measures that a step was not finite: steps started ahead of it must change nothing. */
const HALTED = 2;

/** `update` in double precision; also measures the gradient's norm. */
export function updateTwin({ state, scalars, measures }: HostMemory): void {
  const { values, gradient, firstMoment, secondMoment } = state;
  const { step, learningRate, weightDecay, clipNorm } = scalars;
  const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
  measures[1] = norm;
  if (!Number.isFinite(norm) || !Number.isFinite(measures[0]!)) measures[HALTED] = 1;
  if (measures[HALTED]! > 0) return;
  const clip = Math.min(1, clipNorm / (norm + 1e-6));
  gradient.forEach((unclipped, i) => {
    const g = unclipped * clip;
    firstMoment[i] = BETA_1 * firstMoment[i]! + (1 - BETA_1) * g;
    secondMoment[i] = BETA_2 * secondMoment[i]! + (1 - BETA_2) * g * g;
    const spread = Math.sqrt(secondMoment[i]! / (1 - BETA_2 ** step)) + EPSILON;
    const move = (learningRate / (1 - BETA_1 ** step)) * (firstMoment[i]! / spread);
    values[i] = values[i]! * (1 - learningRate * weightDecay) - move;
  });
}

/** Where the partial sums begin among the measures. */
const FIRST_PARTIAL = 4;

/**
 * `update` in WGSL, over a state whose size is a multiple of four: partial sums of squares, then AdamW, every workgroup of
 * which adds them all up again.
 */
export function updateDispatches(traits: KernelTraits): Dispatch[] {
  const threads = traits.isSoftware ? 16 : Math.min(256, traits.maxInvocations);
  const workgroups = traits.isSoftware ? 16 : PARTIAL_SUMS;
  const team = { size: threads, count: 1 };
  const declarations = `${combineText(team, 'f32', 'a + b')}
const THREADS = ${threads}u;
const WORKGROUPS = ${workgroups}u;`;
  const eachLane = 'for (var i = id.x * THREADS + thread; i < arrayLength(&gradient); i += THREADS * WORKGROUPS)';
  const main = `@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) id : vec3<u32>, @builtin(local_invocation_index) thread : u32)`;
  const kernel = (label: string, args: KernelArguments, code: string): Dispatch => ({
    label,
    bindings: args.bindings,
    params: {},
    code: `${declarations}\n${code}`,
    grid: () => [workgroups, 1, 1],
  });
  const sumArguments = stateArguments({ gradient: 'read' });
  const updateArguments = stateArguments({
    gradient: 'read',
    values: 'read_write',
    firstMoment: 'read_write',
    secondMoment: 'read_write',
  });
  return [
    kernel(
      'update: sum of squares',
      sumArguments,
      `${main} {
  var part = 0.0;
  ${eachLane} { part += dot(gradient[i], gradient[i]); }
  let sum = combine(thread, part);
  if (thread == 0u) { measures[${FIRST_PARTIAL}u + id.x] = sum; }
}`,
    ),
    kernel(
      'update',
      updateArguments,
      `// By the exponent's bits: WGSL may take it that no float is infinite or NaN.
fn isFinite(x : f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
${main} {
  var part = 0.0;
  for (var i = thread; i < WORKGROUPS; i += THREADS) { part += measures[${FIRST_PARTIAL}u + i]; }
  let norm = sqrt(combine(thread, part));
  if (id.x == 0u && thread == 0u) { measures[1] = norm; }
  if (!isFinite(norm) || !isFinite(measures[0])) {
    if (id.x == 0u && thread == 0u) { measures[${HALTED}] = 1.0; }
    return;
  }
  if (measures[${HALTED}] != 0.0) { return; }
  let clip = min(1.0, step.clipNorm / (norm + 1e-6));
  ${eachLane} {
    let g = gradient[i] * clip;
    let first = ${wgslFloat(BETA_1)} * firstMoment[i] + ${wgslFloat(1 - BETA_1)} * g;
    let second = ${wgslFloat(BETA_2)} * secondMoment[i] + ${wgslFloat(1 - BETA_2)} * g * g;
    let spread = sqrt(second * step.secondScale) + ${wgslFloat(EPSILON)};
    firstMoment[i] = first;
    secondMoment[i] = second;
    values[i] = values[i] * step.decay - step.learningRate * step.firstScale * first / spread;
  }
}`,
    ),
  ];
}

function stateArguments(accesses: Partial<Record<keyof FlatState, 'read' | 'read_write'>>): KernelArguments {
  const args = new KernelArguments(4);
  args.buffer('measures', { of: 'measures' }, 'f32', 'read_write');
  for (const name of ['gradient', 'values', 'firstMoment', 'secondMoment'] as const) {
    const access = accesses[name];
    if (access) args.buffer(name, { of: 'state', name }, args.element, access);
  }
  return args;
}
