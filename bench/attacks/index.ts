/**
 * Attacks on real deltas: what hostile clients do to the merge, and what each defence leaves of that. Ten volunteers of the
 * default campaign train for real, once with IID shards and once by domain.
 */
import { inEachPartition } from '../default-campaign/partitions.ts';

export function benchAttacks(): Promise<void> {
  return inEachPartition(new URL('./partition-process.ts', import.meta.url));
}
