/** Small random models, adapters and rows for tests: reproducible, and odd-sized on purpose. */
import { SeededRandom } from '@oneround/fl-core';
import { adaptedModules, type LoraSpec } from '../adapter/index.ts';
import { type LlamaConfig, llamaTensorShapes, type TensorEntry } from '../checkpoint/index.ts';
import { type EncodedExample, NOT_SCORED } from '../tokenizer/index.ts';

/** A config of a few thousand parameters; `changes` replaces fields. */
export function tinyConfig(changes: Partial<LlamaConfig> = {}): LlamaConfig {
  return {
    modelType: 'llama',
    vocabSize: 37,
    hiddenSize: 24,
    intermediateSize: 44,
    layers: 2,
    heads: 4,
    kvHeads: 2,
    headDim: 6,
    rmsNormEps: 1e-5,
    ropeTheta: 10_000,
    maxPositions: 64,
    tieWordEmbeddings: true,
    bosId: 1,
    eosId: 2,
    ...changes,
  };
}

/** Weights uniform on +-1.7 / sqrt(in) (norm weights around 1), which keeps activations near unit scale. */
export function randomTensors(config: LlamaConfig, seed: number): Map<string, TensorEntry> {
  const random = new SeededRandom(seed);
  return new Map(
    [...llamaTensorShapes(config)].map(([name, shape]): [string, TensorEntry] => {
      const size = shape.reduce((product, n) => product * n, 1);
      const spread = shape.length === 1 ? 0.3 : 1.7 / Math.sqrt(shape[1]!);
      const middle = shape.length === 1 ? 1 : 0;
      const values = Float32Array.from({ length: size }, () => middle + spread * (random.nextUnit() * 2 - 1));
      return [name, { dtype: 'F32', shape, values }];
    }),
  );
}

/** A flat B that is far enough from zero to make every gradient path count. */
export function randomB(config: LlamaConfig, spec: LoraSpec, seed: number): Float32Array {
  const random = new SeededRandom(seed);
  const size = adaptedModules(config, spec).reduce((sum, { out }) => sum + out * spec.rank, 0);
  return Float32Array.from({ length: size }, () => random.nextUnit() * 0.4 - 0.2);
}

/** One row a length, with the first third of its labels masked as a prompt would be. */
export function randomExamples(config: LlamaConfig, lengths: readonly number[], seed: number): EncodedExample[] {
  const random = new SeededRandom(seed);
  return lengths.map((length, row) => {
    const tokens = Int32Array.from({ length: length + 1 }, () => random.nextInt(config.vocabSize));
    const labels = tokens.slice(1).fill(NOT_SCORED, 0, Math.floor(length / 3));
    return { ids: tokens.slice(0, -1), labels, domain: row % 2 === 0 ? 'even' : 'odd' };
  });
}
