/** One set of weights and one batch for all contenders, made from a fixed seed. Matrices are `[in, out]`. */
import { SeededRandom } from '@oneround/fl-core';
import type { StepShape } from './shape.ts';

const SEED = 1;

/** Row-major values of a matrix or a vector. */
export interface Weight {
  shape: number[];
  values: Float32Array;
}

export type FrozenLayerName =
  'attentionNorm' | 'query' | 'key' | 'value' | 'output' | 'feedForwardNorm' | 'gate' | 'up' | 'down';

/** The base model. `T` is what a contender makes of a weight. (Type aliases: jax-js's trees take no interfaces.) */
export type Frozen<T> = { embedding: T; layers: Record<FrozenLayerName, T>[]; finalNorm: T; head: T };

export type AdapterName = 'queryA' | 'queryB' | 'valueA' | 'valueB';

/** The LoRA matrices of each layer: A `[d, rank]`, B `[rank, d]`. */
export type AdapterLayers<T> = Record<AdapterName, T>[];

export interface StepWeights {
  frozen: Frozen<Weight>;
  adapter: AdapterLayers<Weight>;
}

/** The same token rows at every step: `targets[i]` is the token after `ids[i]`, both `[batch * sequence]`. */
export interface StepBatch {
  ids: Int32Array;
  targets: Int32Array;
}

/** Normal weights that keep activations near unit scale. B is not zero, so that no gradient vanishes at the first step. */
export function makeWeights({ d, layers, ff, vocabulary, rank }: StepShape): StepWeights {
  const random = new SeededRandom(SEED);
  const matrix = (rows: number, columns: number, deviation = 1 / Math.sqrt(rows)): Weight => ({
    shape: [rows, columns],
    values: Float32Array.from({ length: rows * columns }, () => deviation * nextNormal(random)),
  });
  const ones = (): Weight => ({ shape: [d], values: new Float32Array(d).fill(1) });
  const frozenLayer = (): Record<FrozenLayerName, Weight> => ({
    attentionNorm: ones(),
    query: matrix(d, d),
    key: matrix(d, d),
    value: matrix(d, d),
    output: matrix(d, d),
    feedForwardNorm: ones(),
    gate: matrix(d, ff),
    up: matrix(d, ff),
    down: matrix(ff, d),
  });
  const adapterLayer = (): Record<AdapterName, Weight> => ({
    queryA: matrix(d, rank),
    queryB: matrix(rank, d, 0.02),
    valueA: matrix(d, rank),
    valueB: matrix(rank, d, 0.02),
  });
  return {
    frozen: {
      embedding: matrix(vocabulary, d, 0.5),
      layers: Array.from({ length: layers }, frozenLayer),
      finalNorm: ones(),
      head: matrix(d, vocabulary),
    },
    adapter: Array.from({ length: layers }, adapterLayer),
  };
}

/** Rows in which a token decides the next but for two bits, so that the loss can fall. */
export function makeBatch({ batch, sequence, vocabulary }: StepShape): StepBatch {
  const random = new SeededRandom(SEED + 1);
  const ids = new Int32Array(batch * sequence);
  const targets = new Int32Array(batch * sequence);
  for (let row = 0; row < batch; row++) {
    let token = random.nextInt(vocabulary);
    for (let t = 0; t < sequence; t++) {
      ids[row * sequence + t] = token;
      token = (token * 7 + 3 + random.nextInt(4)) % vocabulary;
      targets[row * sequence + t] = token;
    }
  }
  return { ids, targets };
}

/** The base model with `make` applied to each weight. */
export function mapFrozen<T>({ embedding, layers, finalNorm, head }: Frozen<Weight>, make: (weight: Weight) => T) {
  const mapped: Frozen<T> = {
    embedding: make(embedding),
    layers: layers.map((layer) => mapRecord(layer, make)),
    finalNorm: make(finalNorm),
    head: make(head),
  };
  return mapped;
}

/** The record with `make` applied to each of its values. */
export function mapRecord<K extends string, T, U>(record: Record<K, T>, make: (value: T, key: K) => U): Record<K, U> {
  const entries = Object.entries(record) as [K, T][];
  return Object.fromEntries(entries.map(([key, value]) => [key, make(value, key)])) as Record<K, U>;
}

/** Box and Muller's transform. */
function nextNormal(random: SeededRandom): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.nextUnit()));
  return radius * Math.cos(2 * Math.PI * random.nextUnit());
}
