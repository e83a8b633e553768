/** How records are spread over shards. A partition is a function of the records, the strategy and a seed. */
import type { PartitionStrategy } from './campaign.ts';
import { SeededRandom } from './random.ts';

/**
 * Deals records into shards; every record lands in exactly one.
 *
 * - `iid`: shuffled, then dealt one by one: shard sizes differ by at most one.
 * - `domain`: each shard holds one domain as far as possible. Shards are shared out to domains in proportion to their
 *   records (always to the domain with most records a shard, at least one each); with fewer shards than domains, a shard holds several whole domains.
 *
 * @returns one array of record indices per shard, ascending
 * @throws RangeError when there are fewer records than shards
 */
export function partitionRecords(
  records: readonly { domain: string }[],
  options: { shards: number; strategy: PartitionStrategy; seed: number },
): number[][] {
  const { shards, strategy, seed } = options;
  if (!Number.isInteger(shards) || shards < 1 || shards > records.length) {
    throw new RangeError(`data.shards: ${records.length} records cannot fill ${shards} shards`);
  }
  const random = new SeededRandom(seed);
  const indices = records.map((_, index) => index);
  const dealt = strategy === 'iid' ? deal(random.shuffled(indices), shards) : byDomain(records, shards, random);
  return dealt.map((shard) => shard.toSorted((a, b) => a - b));
}

function deal(indices: readonly number[], shards: number): number[][] {
  const result: number[][] = Array.from({ length: shards }, () => []);
  indices.forEach((index, position) => result[position % shards]!.push(index));
  return result;
}

function byDomain(records: readonly { domain: string }[], shards: number, random: SeededRandom): number[][] {
  const domains = new Map<string, number[]>();
  records.forEach(({ domain }, index) => {
    const members = domains.get(domain);
    if (members) members.push(index);
    else domains.set(domain, [index]);
  });
  const groups = [...domains.keys()].toSorted().map((domain) => domains.get(domain)!);
  if (shards < groups.length) return deal([...groups.keys()], shards).map((held) => held.flatMap((g) => groups[g]!));
  const counts = shardsPerGroup(
    groups.map((group) => group.length),
    shards,
  );
  return groups.flatMap((group, g) => deal(random.shuffled(group), counts[g]!));
}

/** Shares of `shards`, at least one and at most its size for each group; each next shard goes where shards are largest. */
function shardsPerGroup(sizes: readonly number[], shards: number): number[] {
  const counts = sizes.map(() => 1);
  for (let given = sizes.length; given < shards; given++) {
    let best = -1;
    for (let g = 0; g < sizes.length; g++) {
      if (counts[g]! >= sizes[g]!) continue;
      if (best < 0 || sizes[g]! / counts[g]! > sizes[best]! / counts[best]!) best = g;
    }
    counts[best]!++;
  }
  return counts;
}
