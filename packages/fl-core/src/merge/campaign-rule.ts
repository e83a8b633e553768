/** The rule that a campaign merges by: it follows from what its clients train. */
import type { Manifest } from '../campaign.ts';
import { bOnlyRule } from './b-only.ts';
import { factorMeanRule } from './factor-mean.ts';
import type { SumRule } from './merge-rule.ts';

/** Both are sums of the deltas as they are, so that a campaign's fold is `ExactFold` of the layout's size. */
export function campaignRule({ adapter, layout }: Pick<Manifest, 'adapter' | 'layout'>): SumRule {
  const trainsA = 'seed' in adapter && adapter.trains === 'a-and-b';
  return trainsA ? factorMeanRule(layout.size) : bOnlyRule(layout.size);
}
