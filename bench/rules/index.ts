/**
 * The merge rules on real deltas: ten volunteers of the default campaign train B alone, and again A and B from the same
 * published A. What each rule publishes is compared with the exact mean of their updates, and on held-out data.
 */
import { parseArgs } from 'node:util';
import { inEachPartition } from '../default-campaign/partitions.ts';
import { campaign } from '../default-campaign/volunteers.ts';

/** Flag: `--rates`, of those who train A and B; B alone is trained at the campaign's. */
export async function benchRules(flags: string[]): Promise<void> {
  const { values } = parseArgs({
    args: flags,
    options: { rates: { type: 'string', default: `${campaign.training.learningRate},0.002` } },
  });
  await inEachPartition(new URL('./partition-process.ts', import.meta.url), values.rates.split(','));
}
