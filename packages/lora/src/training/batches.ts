/** Which rows form which batch. A function of the rows' lengths, the settings and the epoch: the same on every device. */
import { SeededRandom } from '@oneround/fl-core';

/** Rows are sorted by length within windows of this many batches: little padding, and still a shuffled epoch. */
const WINDOW_BATCHES = 4;

/**
 * One epoch's batches as indices of rows; every row appears once and only the last window can hold a smaller batch.
 * The order comes from `seed + epoch`.
 */
export function epochBatches(
  rows: readonly { ids: { length: number } }[],
  { batchSize, seed, epoch }: { batchSize: number; seed: number; epoch: number },
): number[][] {
  const random = new SeededRandom(seed + epoch);
  const order = random.shuffled(rows.map((_, index) => index));
  const batches: number[][] = [];
  for (const window of chunks(order, batchSize * WINDOW_BATCHES)) {
    // Sorting is stable, so rows of one length stay in their shuffled order.
    batches.push(
      ...chunks(
        window.toSorted((a, b) => rows[a]!.ids.length - rows[b]!.ids.length),
        batchSize,
      ),
    );
  }
  return random.shuffled(batches);
}

/** Batches of rows of similar length, shortest first: the order for evaluation. */
export function batchesByLength(rows: readonly { ids: { length: number } }[], batchSize: number): number[][] {
  const order = rows.map((_, index) => index).toSorted((a, b) => rows[a]!.ids.length - rows[b]!.ids.length);
  return chunks(order, batchSize);
}

function chunks(items: readonly number[], size: number): number[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
