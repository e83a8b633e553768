/**
 * One padded batch as plain arrays. Lengths are rounded up to a multiple of 8, so that few shapes exist. Padding stands on
 * the right, where causal attention never looks back at it, and is not scored; it needs no mask.
 */
import type { ModelConfig } from '../architecture/index.ts';
import type { BatchInputs } from '../kernels/index.ts';
import type { BatchShape, Capacity } from '../plan/index.ts';
import { type EncodedExample, NOT_SCORED } from '../tokenizer/index.ts';

const LENGTH_STEP = 8;

/** B rows of T positions; M = B*T; S scored rows, padding included. */
export interface HostBatch {
  shape: BatchShape;
  inputs: BatchInputs;
  /** Per scored row, without padding: which of the examples it belongs to. */
  exampleOfScore: readonly number[];
  /** Tokens fed, without padding. */
  tokens: number;
}

/** The part of a model that batches depend on: learned positions end somewhere, also for padding. */
export type BatchModel = Pick<ModelConfig, 'maxPositions'>;

/** `length` rounded up to a multiple of 8. */
export function roundedLength(length: number): number {
  return Math.ceil(length / LENGTH_STEP) * LENGTH_STEP;
}

/** Elements of each of a batch's arrays, for a largest batch of M = `tokens` positions and S = `scored`. */
export function inputLengths({ tokens, scored }: Capacity): Readonly<Record<keyof BatchInputs, number>> {
  return { ids: tokens, rowOfPosition: tokens, position: scored, label: scored, weight: scored };
}

/** Number of scored positions. */
export function scoredCount(examples: readonly Pick<EncodedExample, 'labels'>[]): number {
  return examples.reduce((sum, { labels }) => sum + labels.filter((label) => label !== NOT_SCORED).length, 0);
}

/** T for a longest row of `length` tokens. */
export function paddedPositions({ maxPositions }: BatchModel, length: number): number {
  return Math.min(roundedLength(length), maxPositions);
}

function shapeOfBatch(model: BatchModel, examples: readonly EncodedExample[]): BatchShape {
  return {
    rows: examples.length,
    positions: paddedPositions(model, Math.max(...examples.map(({ ids }) => ids.length))),
    scored: Math.max(LENGTH_STEP, roundedLength(scoredCount(examples))),
  };
}

/**
 * Examples as one batch. Each scored position weighs the same: one share of `scoredInStep`, which is the batch's own
 * number unless the step has several batches. Without any label all weights are zero.
 */
export function makeHostBatch(
  model: BatchModel,
  examples: readonly EncodedExample[],
  scoredInStep: number = scoredCount(examples),
): HostBatch {
  const shape = shapeOfBatch(model, examples);
  const { rows, positions, scored } = shape;
  const ids = new Int32Array(rows * positions);
  const position = new Int32Array(scored);
  const label = new Int32Array(scored);
  const weight = new Float32Array(scored);
  const rowOfPosition = new Int32Array(rows * positions).fill(scored);
  const exampleOfScore: number[] = [];
  examples.forEach((example, row) => {
    ids.set(example.ids, row * positions);
    example.labels.forEach((token, t) => {
      if (token === NOT_SCORED) return;
      const score = exampleOfScore.push(row) - 1;
      position[score] = row * positions + t;
      label[score] = token;
      weight[score] = 1 / scoredInStep;
      rowOfPosition[row * positions + t] = score;
    });
  });
  const tokens = examples.reduce((sum, example) => sum + example.ids.length, 0);
  return { shape, inputs: { ids, position, label, weight, rowOfPosition }, exampleOfScore, tokens };
}
