import { type ModelConfig, parseModelConfig } from '@oneround/lora/architecture';
import { describe, expect, it } from 'vitest';
import { stepOperations } from './index.ts';

/** The model of the peers' benchmark: 2.13 GFLOP a step with rank 8 on q and v, counted by hand there. */
function benchmarkModel(): ModelConfig {
  return parseModelConfig({
    ...{ model_type: 'llama', vocab_size: 512, hidden_size: 128, intermediate_size: 384, num_hidden_layers: 4 },
    ...{ num_attention_heads: 4, max_position_embeddings: 64, rms_norm_eps: 1e-5, tie_word_embeddings: true },
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
