/**
 * The papers' baseline (FedIT, Zhang et al. 2023, arXiv 2305.05644): A's and B's are averaged apart from each other. The
 * result is off by the clients' covariance, `mean(B) mean(A) = mean(B A) - cov(B, A)`; it is only of use when all clients
 * start from the same A, and here they do: deltas count from it.
 */
import type { SumRule } from './merge-rule.ts';
import { plainSum } from './plain-sum.ts';

/** `size`: number of values of all A's and B's. */
export function factorMeanRule(size: number): SumRule {
  return plainSum({ name: 'factor-mean', meansUpdates: false, size });
}
