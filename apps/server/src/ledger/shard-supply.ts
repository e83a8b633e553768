/** Which shards are left for whoever asks, given the rows: no database here. */
import { Refusal, type Manifest } from '@oneround/fl-core';

/** A shard whose contributions the screens set aside is given out again, this often. */
export const SPARE = 2;

/** A contribution that was not withdrawn. */
export interface ShardUse {
  shard_index: number | null;
  client_id: string;
}

/** Shards that the asker gets no more, whoever leaves; each is in one of the sets. */
export interface SettledShards {
  /** With as many contributions as the campaign wants of each. */
  full: ReadonlySet<number>;
  /** Given out `SPARE` times too often: what was sent was set aside. */
  givenUp: ReadonlySet<number>;
  /** Trained by the asker before; others may have them. */
  own: ReadonlySet<number>;
  all: ReadonlySet<number>;
}

/** @param counted those of `standing` that the screens have not set aside */
export function settledShards(
  { counted, standing }: { counted: readonly ShardUse[]; standing: readonly ShardUse[] },
  { clientId, clientsPerShard }: { clientId: string; clientsPerShard: number },
): SettledShards {
  const full = new Set(usedTimes(counted, clientsPerShard));
  const givenUp = new Set(usedTimes(standing, clientsPerShard + SPARE).filter((shard) => !full.has(shard)));
  const trained = standing.filter(({ client_id }) => client_id === clientId);
  const own = new Set(usedTimes(trained, 1).filter((shard) => !full.has(shard) && !givenUp.has(shard)));
  return { full, givenUp, own, all: new Set([...full, ...givenUp, ...own]) };
}

/** @throws Refusal `no_shard_left` when every shard is settled; in many rounds `no_shard_free`, since the next has all */
export function checkShardsLeft({ full, givenUp, own, all }: SettledShards, { data, rounds }: Manifest): void {
  const total = data.shards;
  if (all.size < total) return;
  if (rounds) {
    throw new Refusal('no_shard_free', 'Every shard has its contribution to this round; the next has them all again.');
  }
  if (full.size === total) {
    throw new Refusal('no_shard_left', 'Every shard of this campaign has its contribution. Thank you for coming.');
  }
  const others = [
    ...(full.size > 0 ? [`${full.size} of ${total} shards ${have(full)} all contributions`] : []),
    ...(givenUp.size > 0
      ? [`${givenUp.size} ${have(givenUp)} been given up after ${SPARE + 1} contributions each that were set aside`]
      : []),
    ...(own.size > 0 ? [`${own.size} ${have(own)} been trained by you and can be by somebody else`] : []),
  ];
  throw new Refusal('no_shard_left', `No shard is left for you: ${others.join(', ')}. Thank you for coming.`);
}

/** The shards that were used so often or more. */
function usedTimes(uses: readonly ShardUse[], times: number): number[] {
  const counts = new Map<number, number>();
  for (const { shard_index } of uses) {
    if (shard_index !== null) counts.set(shard_index, (counts.get(shard_index) ?? 0) + 1);
  }
  return [...counts].flatMap(([shard, count]) => (count >= times ? [shard] : []));
}

const have = ({ size }: ReadonlySet<number>) => (size === 1 ? 'has' : 'have');
