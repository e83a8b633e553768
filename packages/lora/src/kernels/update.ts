/**
 * AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) on the flat parameters, the gradient first scaled by
 * min(1, clipNorm / (norm + 1e-6)). A loss or norm that is not finite leaves everything as it was.
 */
import type { HostMemory } from './host-memory.ts';

export const BETA_1 = 0.9;
export const BETA_2 = 0.999;
export const EPSILON = 1e-8;

/** `update` in double precision; also measures the gradient's norm. */
export function updateTwin({ state, scalars, measures }: HostMemory): void {
  const { values, gradient, firstMoment, secondMoment } = state;
  const { step, learningRate, weightDecay, clipNorm } = scalars;
  const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
  measures[1] = norm;
  if (!Number.isFinite(norm) || !Number.isFinite(measures[0]!)) return;
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
