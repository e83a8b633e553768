/**
 * merge: how contributions become one adapter. Pure arithmetic on flat vectors; who may contribute is `screens`' business,
 * and the one place that turns an update back into factors is `packages/lora`.
 */
export { bOnlyRule } from './b-only.ts';
export { campaignRule, chosenRule, type StartingFactors } from './campaign-rule.ts';
export { coordinateMedianRule, trimmedMeanRule } from './coordinate-rules.ts';
export { denseRule } from './dense.ts';
export { factorMeanRule } from './factor-mean.ts';
export { type FactorModule, factorsSize, factorViews } from './factors.ts';
export type { CohortRule, MergeRule, SumRule, WeightedDelta } from './merge-rule.ts';
export { multiKrumRule } from './multi-krum.ts';
export { RunningMerge } from './running-merge.ts';
export { initialState, type OptimiserState, type ServerOptimiser, serverStep } from './server-optimiser.ts';
export { type ScaleSearch, searchServerScale } from './server-scale.ts';
export { contributionWeights, type WeightPolicy } from './weights.ts';
