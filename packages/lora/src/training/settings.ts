/** What a training run is told, what it reports, and what it can be continued from. */
import type { AdapterLayout } from '@oneround/fl-core';
import type { LoraSpec } from '../adapter/index.ts';
import type { EncodedExample } from '../tokenizer/index.ts';

/** Local training. A step is one batch; `epochs` passes are made over the examples. */
export interface TrainingSettings {
  epochs: number;
  /** Rows of one step. */
  batchSize: number;
  /** Longest row, in tokens; the rows were encoded with it. */
  maxTokens: number;
  /** Peak learning rate. */
  learningRate: number;
  /** Share of all steps that warm up. */
  warmupRatio: number;
  /** Decoupled, a step: `values *= 1 - learningRate * weightDecay`. */
  weightDecay: number;
  /** Longest global gradient norm; longer gradients are scaled down to it. */
  clipNorm: number;
  /** Seed of the batch order. */
  seed: number;
}

/** One finished optimiser step. */
export interface StepReport {
  /** Counted from 1. */
  step: number;
  steps: number;
  /** Counted from 1. */
  epoch: number;
  epochs: number;
  /** Mean over the batch's scored tokens, in nats, before the update. */
  loss: number;
  /** L2 norm over all trained values, before clipping. */
  gradientNorm: number;
  learningRate: number;
  /** Tokens fed, without padding. */
  tokens: number;
  milliseconds: number;
}

/** All that a training run consists of after `step` steps. Plain data: it survives a reload. */
export interface TrainerCheckpoint {
  step: number;
  values: Float32Array;
  firstMoment: Float32Array;
  secondMoment: Float32Array;
  /** Tells a checkpoint of other settings, examples or another adapter apart. */
  settingsHash?: string;
}

/**
 * 64-bit FNV-1a over everything that decides a run's course, as 16 hexadecimal digits. It guards against mistakes (a
 * checkpoint of yesterday's campaign), not against forgery.
 */
export function settingsHash(
  settings: TrainingSettings,
  spec: LoraSpec | null,
  layout: AdapterLayout,
  examples: readonly EncodedExample[],
): string {
  const { epochs, batchSize, maxTokens, learningRate, warmupRatio, weightDecay, clipNorm, seed } = settings;
  const numbers = [epochs, batchSize, maxTokens, learningRate, warmupRatio, weightDecay, clipNorm, seed];
  const lengths = examples.map(({ ids }) => ids.length);
  const text = [layout.hash, JSON.stringify(spec), ...numbers, ...lengths].join(' ');
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}
