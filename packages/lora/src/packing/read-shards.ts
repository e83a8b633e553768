/** A cut file as one stream of bytes, whose shards are loaded whole and never have to be in memory all at once. */
import type { ReadRange } from '../checkpoint/index.ts';
import { readAcross } from './shards.ts';

/**
 * Reads ranges across shards that lie one after the other. The shard read last stays at hand, so reading from front to back
 * loads each shard once and holds one at a time.
 * @throws RangeError when the shards do not have the range; what `load` throws
 */
export function readShards<Shard extends { bytes: number }>(
  shards: readonly Shard[],
  load: (shard: Shard) => Promise<Uint8Array>,
): ReadRange {
  let current: { index: number; loading: Promise<Uint8Array> } | null = null;
  return readAcross(
    shards.map(({ bytes }) => bytes),
    async (index, offset, length) => {
      if (current?.index !== index) current = { index, loading: load(shards[index]!) };
      return (await current.loading).subarray(offset, offset + length);
    },
  );
}
