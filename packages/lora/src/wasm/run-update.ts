/** The optimiser's step as a call of its kernel. */
import { BETA_1, BETA_2, EPSILON, type StepScalars } from '../kernels/index.ts';
import type { Addresses } from './addresses.ts';

export function runUpdate(at: Addresses, { step, learningRate, weightDecay, clipNorm }: StepScalars): void {
  at.kernels.update(
    at.trained,
    at.state('values'),
    at.state('gradient'),
    at.state('firstMoment'),
    at.state('secondMoment'),
    learningRate,
    1 - learningRate * weightDecay,
    clipNorm,
    BETA_1,
    1 - BETA_1,
    BETA_2,
    1 - BETA_2,
    EPSILON,
    1 / (1 - BETA_1 ** step),
    1 / (1 - BETA_2 ** step),
    at.measures,
  );
}
