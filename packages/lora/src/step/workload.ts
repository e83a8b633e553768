/** What a run will ask of an engine: its largest batch, known before the first step, because all examples are. */
import type { BatchShape } from '../plan/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';
import { type BatchModel, paddedPositions, roundedLength, scoredCount } from './host-batch.ts';

export interface Workload {
  /** Rows of one step. */
  rows: number;
  /** T of the longest row. */
  positions: number;
  /** Scored positions of each example, most first. */
  scoredPerRow: readonly number[];
}

/** The workload of steps of `batchSize` of these examples, in whatever order. */
export function workloadOf(model: BatchModel, examples: readonly EncodedExample[], batchSize: number): Workload {
  return {
    rows: Math.min(batchSize, examples.length),
    positions: paddedPositions(
      model,
      examples.reduce((longest, { ids }) => Math.max(longest, ids.length), 1),
    ),
    scoredPerRow: examples.map((example) => scoredCount([example])).toSorted((a, b) => b - a),
  };
}

/** Sizes that no batch of `rows` rows exceeds. */
export function largestBatch({ positions, scoredPerRow }: Workload, rows: number): BatchShape {
  const scored = scoredPerRow.slice(0, rows).reduce((sum, count) => sum + count, 0);
  return { rows, positions, scored: Math.max(8, roundedLength(scored)) };
}
