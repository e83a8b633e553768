/**
 * One padded batch on the device. Lengths are rounded up to a multiple of 8, so that few shapes exist. Padding stands on
 * the right, where causal attention never looks back at it, and is not scored; it needs no mask.
 */
import { NOT_SCORED, type EncodedExample } from '../tokenizer/index.ts';
import type { ScoredPositions } from '../model/index.ts';
import { dispose, tensor1d, type Tensor1D } from '../tensor/index.ts';

const LENGTH_STEP = 8;

/** B rows of T positions; M = B*T. The caller calls `disposeBatch`. */
export interface Batch {
  rows: number;
  positions: number;
  /** `[M]` int32. */
  ids: Tensor1D;
  scored: ScoredPositions;
  /** Per scored row, without padding: which of the examples it belongs to. */
  exampleOfScore: number[];
  /** Tokens fed, without padding. */
  tokens: number;
}

/** `length` rounded up to a multiple of 8. */
export function roundedLength(length: number): number {
  return Math.ceil(length / LENGTH_STEP) * LENGTH_STEP;
}

/** Uploads examples as one batch; each scored position weighs the same and the weights sum to one (or to zero: no label). */
export function makeBatch(examples: readonly EncodedExample[]): Batch {
  const rows = examples.length;
  const positions = roundedLength(Math.max(...examples.map(({ ids }) => ids.length)));
  const ids = new Int32Array(rows * positions);
  const position: number[] = [];
  const label: number[] = [];
  const exampleOfScore: number[] = [];
  examples.forEach((example, row) => {
    ids.set(example.ids, row * positions);
    example.labels.forEach((token, t) => {
      if (token === NOT_SCORED) return;
      position.push(row * positions + t);
      label.push(token);
      exampleOfScore.push(row);
    });
  });
  const scores = position.length;
  const padded = Math.max(LENGTH_STEP, roundedLength(scores));
  const rowOfPosition = new Int32Array(rows * positions).fill(padded);
  position.forEach((at, score) => (rowOfPosition[at] = score));
  return {
    rows,
    positions,
    ids: tensor1d(ids, 'int32'),
    scored: {
      position: tensor1d(resized(position, padded), 'int32'),
      label: tensor1d(resized(label, padded), 'int32'),
      weight: tensor1d(new Float32Array(padded).fill(1 / Math.max(1, scores), 0, scores)),
      rowOfPosition: tensor1d(rowOfPosition, 'int32'),
    },
    exampleOfScore,
    tokens: examples.reduce((sum, example) => sum + example.ids.length, 0),
  };
}

/** Frees a batch's tensors. */
export function disposeBatch({ ids, scored }: Batch): void {
  dispose([ids, ...Object.values(scored)]);
}

function resized(values: readonly number[], length: number): Int32Array {
  const result = new Int32Array(length);
  result.set(values);
  return result;
}
