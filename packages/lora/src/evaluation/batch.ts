/** A batch on TFJS's current backend. */
import type { ScoredPositions } from '../model/index.ts';
import { type BatchModel, type HostBatch, makeHostBatch } from '../step/index.ts';
import { dispose, tensor1d, type Tensor1D } from '../tensor/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';

/** B rows of T positions; M = B*T. The caller calls `disposeBatch`. */
export interface Batch {
  rows: number;
  positions: number;
  /** `[M]` int32. */
  ids: Tensor1D;
  scored: ScoredPositions;
  /** Per scored row, without padding: which of the examples it belongs to. */
  exampleOfScore: readonly number[];
  /** Tokens fed, without padding. */
  tokens: number;
}

/** Uploads examples as one batch; each scored position weighs the same and the weights sum to one (or to zero: no label). */
export function makeBatch(model: BatchModel, examples: readonly EncodedExample[]): Batch {
  return uploadBatch(makeHostBatch(model, examples));
}

/** Uploads a batch. */
export function uploadBatch({ shape, inputs, exampleOfScore, tokens }: HostBatch): Batch {
  const { ids, position, label, weight, rowOfPosition } = inputs;
  return {
    rows: shape.rows,
    positions: shape.positions,
    ids: tensor1d(ids, 'int32'),
    scored: {
      position: tensor1d(position, 'int32'),
      label: tensor1d(label, 'int32'),
      weight: tensor1d(weight),
      rowOfPosition: tensor1d(rowOfPosition, 'int32'),
    },
    exampleOfScore,
    tokens,
  };
}

/** Frees a batch's tensors. */
export function disposeBatch({ ids, scored }: Batch): void {
  dispose([ids, ...Object.values(scored)]);
}
