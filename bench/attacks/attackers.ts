/**
 * What hostile clients send. Each attack joins the honest ones with accounts of its own and claims the largest weight among
 * them. Its deltas are as raw as the attack has them; `scenario.ts` also has them shortened to the published norm.
 */
import { deltaNorm, SeededRandom } from '@oneround/fl-core';
import type { Volunteer } from '../default-campaign/volunteers.ts';

export interface Attack {
  name: string;
  deltas: Float32Array[];
  /** All at once, before anybody honest; else in between. */
  first?: boolean;
}

/** Every attack on these clients. `wrong` is trained on wrong answers. The same bits for the same input. */
export function attacksOn(honest: readonly Volunteer[], wrong: Float32Array): Attack[] {
  const deltas = honest.map(({ delta }) => delta);
  const [one, two] = deltas as [Float32Array, Float32Array];
  const norm = deltas.reduce((sum, delta) => sum + deltaNorm(delta), 0) / deltas.length;
  const alie = aLittleLess(deltas, 1.5);
  return [
    { name: 'sign flip x10, 2 clients', deltas: [times(-10, one), times(-10, two)] },
    { name: 'Gaussian, 10x norm, 2 clients', deltas: [1, 2].map((seed) => gaussian(one.length, 10 * norm, seed)) },
    { name: 'scaled replacement x-20, 1 client', deltas: [times(-20, one)] },
    { name: 'wrong answers x10, 1 client', deltas: [times(10, wrong)] },
    { name: 'ALIE: mean - 1.5 deviations, 3 clients', deltas: [1, 2, 3].map((seed) => disguised(alie, seed)) },
    {
      name: 'free rider: noise of 1 % norm, 2 clients',
      deltas: [3, 4].map((seed) => gaussian(one.length, norm / 100, seed)),
    },
    { name: 'replay of one client, 2 clients', deltas: [1, 2].map((seed) => disguised(one, seed)) },
    { name: 'Sybil burst: sign flips, 10 clients, first', deltas: sybils(times(-1, one)), first: true },
    { name: 'Sybil burst: wrong answers, 10 clients, first', deltas: sybils(wrong), first: true },
  ];
}

function sybils(delta: Float32Array): Float32Array[] {
  return Array.from({ length: 10 }, (_, seed) => disguised(delta, seed));
}

function times(factor: number, delta: Float32Array): Float32Array {
  return delta.map((value) => factor * value);
}

/** Normal noise of this L2 norm. */
export function gaussian(size: number, norm: number, seed: number): Float32Array {
  const random = new SeededRandom(seed);
  const noise = Float32Array.from({ length: size }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random.nextUnit()));
    return radius * Math.cos(2 * Math.PI * random.nextUnit());
  });
  return times(norm / deltaNorm(noise), noise);
}

/** A copy with one value in a hundred moved by a thousandth, so that its hash is another. */
export function disguised(delta: Float32Array, seed: number): Float32Array {
  const random = new SeededRandom(seed);
  return delta.map((value) => (random.nextInt(100) === 0 ? value * 1.001 : value));
}

/**
 * "A Little Is Enough" (Baruch et al. 2019, arXiv 1902.06156): each value a few standard deviations below the mean of the
 * honest ones, so that it stays within their spread. The attacker is taken to know all of them.
 */
export function aLittleLess(deltas: readonly Float32Array[], deviations: number): Float32Array {
  return deltas[0]!.map((_, i) => {
    const mean = deltas.reduce((sum, delta) => sum + delta[i]!, 0) / deltas.length;
    const variance = deltas.reduce((sum, delta) => sum + (delta[i]! - mean) ** 2, 0) / deltas.length;
    return mean - deviations * Math.sqrt(variance);
  });
}
