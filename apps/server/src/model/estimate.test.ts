import { type ModelConfig, parseModelConfig } from '@oneround/lora/architecture';
import { describe, expect, it } from 'vitest';
import { estimateMemory, stepOperations } from './index.ts';

/** The model of the peers' benchmark: 2.13 GFLOP a step with rank 8 on q and v, counted by hand there. */
function benchmarkModel(changes: Record<string, unknown> = {}): ModelConfig {
  return parseModelConfig({
    ...{ model_type: 'llama', vocab_size: 512, hidden_size: 128, intermediate_size: 384, num_hidden_layers: 4 },
    ...{ num_attention_heads: 4, max_position_embeddings: 64, rms_norm_eps: 1e-5, tie_word_embeddings: true },
    ...changes,
  });
}

const operationsOf = (rows: number, tokens: number) => stepOperations(benchmarkModel(), { rows, tokens, rank: 8 });

describe('stepOperations', () => {
  it('agrees with the count of a known model', () => {
    const frozen = stepOperations(benchmarkModel(), { rows: 8, tokens: 64, rank: 0 });
    const adaptersOnQueriesAndValues = 8 * 64 * 6 * 8 * (4 * 2 * 256);
    expect((frozen + adaptersOnQueriesAndValues) / 1e9).toBeCloseTo(2.13, 2);
  });

  it('grows with rows as they are, and with tokens faster', () => {
    expect(operationsOf(8, 64)).toBe(8 * operationsOf(1, 64));
    expect(operationsOf(1, 128)).toBeGreaterThan(2 * operationsOf(1, 64));
  });
});

describe('estimateMemory', () => {
  const shape = { rows: 2, tokens: 10, rank: 4 };

  it('counts what a step holds', () => {
    const { weights, adapters, activations, logits } = estimateMemory(benchmarkModel(), shape);
    expect(weights).toBe(4 * (512 * 128 + 4 * (4 * 128 * 128 + 3 * 128 * 384 + 2 * 128) + 128));
    const linear = 4 * (128 + 4 * 128) + 2 * (128 + 4 * 384) + (384 + 4 * 128);
    expect(adapters).toBe(4 * 4 * 4 * linear);
    const attention = 128 + 3 * 128 + 4 * 10 + 4 * 4;
    const feedForward = 128 + 2 * 384 + 4 * 3;
    expect(activations).toBe(4 * 20 * 4 * (attention + feedForward));
    expect(logits).toBe(4 * 3 * 20 * 512);
  });

  it('counts shared key and value heads once', () => {
    const shared = estimateMemory(benchmarkModel({ num_key_value_heads: 2 }), shape).activations;
    expect(estimateMemory(benchmarkModel(), shape).activations - shared).toBe(4 * 20 * 4 * 2 * 64);
  });
});
