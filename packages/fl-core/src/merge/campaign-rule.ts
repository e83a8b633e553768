/** The rule that a campaign merges by. */
import type { CampaignConfig, Manifest } from '../campaign.ts';
import { bOnlyRule } from './b-only.ts';
import { denseRule } from './dense.ts';
import { factorMeanRule } from './factor-mean.ts';
import type { FactorModule } from './factors.ts';
import type { SumRule } from './merge-rule.ts';

/** An adapter's layers, and where clients start. */
export interface StartingFactors {
  modules: readonly FactorModule[];
  /** A_0 and B_0, flat (`factors.ts`). */
  start: Float32Array;
}

/**
 * What a manifest's `merge.rule` becomes: one-shot campaigns whose clients train A and B merge exactly unless told otherwise.
 * @returns undefined where B alone is trained, which has one rule
 * @throws RangeError for a rule that the campaign cannot have
 */
export function chosenRule({ adapter, merge, rounds }: CampaignConfig): Manifest['merge']['rule'] {
  const { rule } = merge;
  if (!trainsA(adapter)) {
    if (rule === undefined) return undefined;
    throw new RangeError(
      `merge.rule: "${rule}" is for clients that train A and B (adapter.trains: "a-and-b"); B alone is merged exactly as it is, so leave merge.rule out`,
    );
  }
  if (rounds && rule === 'dense') {
    throw new RangeError(
      'merge.rule: "dense" sums updates of whole weights, and the next round is trained from an adapter; take "factor-mean", or leave rounds out',
    );
  }
  return rule ?? (rounds ? 'factor-mean' : 'dense');
}

/** @param factors asked for by the dense rule alone: the others sum deltas as they are */
export function campaignRule(
  { adapter, layout, merge }: Pick<Manifest, 'adapter' | 'layout' | 'merge'>,
  factors: () => StartingFactors,
): SumRule {
  if (!trainsA(adapter)) return bOnlyRule(layout.size);
  // Campaigns that were stored before there was a choice have no rule.
  if (merge.rule !== 'dense') return factorMeanRule(layout.size);
  const { modules, start } = factors();
  return denseRule(modules, start);
}

function trainsA(adapter: Manifest['adapter'] | CampaignConfig['adapter']): boolean {
  return 'seed' in adapter && adapter.trains === 'a-and-b';
}
