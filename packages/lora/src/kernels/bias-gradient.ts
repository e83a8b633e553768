/** The gradient of a trained bias: the sums of dy's columns. */
import type { BiasGradient } from '../plan/index.ts';
import { KernelArguments, laneWidth } from './arguments.ts';
import { columnSumsDispatch, gradientOfVector } from './column-sums.ts';
import type { Dispatch, KernelTraits } from './dispatch.ts';
import { forEachRow, type HostMemory, rowOf } from './host-memory.ts';

/** `biasGradient` in double precision. */
export function biasGradientTwin({ dy, bias, rows }: BiasGradient, memory: HostMemory): void {
  const gradient = gradientOfVector(memory, bias);
  forEachRow(memory, rows, (row) => rowOf(memory, dy, row).forEach((value, i) => (gradient[i]! += value)));
}

/** `biasGradient` in WGSL. */
export function biasGradientDispatches({ dy, bias, rows }: BiasGradient, traits: KernelTraits): Dispatch[] {
  const args = new KernelArguments(laneWidth([dy]));
  const sums = [{ target: bias, term: args.view('dy', dy, 'read')('row', 'i') }];
  return [columnSumsDispatch('biasGradient', args, { sums, groups: 1, rows }, traits)];
}
