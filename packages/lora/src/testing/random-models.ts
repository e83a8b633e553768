/** Small random models, adapters and rows for tests: reproducible, and odd-sized on purpose. */
import { denseRule, SeededRandom } from '@oneround/fl-core';
import { adaptedModules, type LoraSpec, publishedFactors } from '../adapter/index.ts';
import { type ModelConfig, normLayers, parseModelConfig, tensorShapes } from '../architecture/index.ts';
import type { TensorEntry } from '../checkpoint/index.ts';
import { type EncodedExample, NOT_SCORED } from '../tokenizer/index.ts';

/** A Llama of a few thousand parameters; `changes` replaces fields of its `config.json`. */
export function tinyConfig(changes: Readonly<Record<string, unknown>> = {}): ModelConfig {
  return parseModelConfig({
    model_type: 'llama',
    vocab_size: 37,
    hidden_size: 24,
    intermediate_size: 44,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 64,
    tie_word_embeddings: true,
    ...changes,
  });
}

/** The linear layers of a Llama block. */
export const everyLinear = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

const gemma = { intermediate_size: 31, head_dim: 6, hidden_activation: 'gelu_pytorch_tanh' };

/** One small config of each architecture besides Llama, with the linear layers of its blocks. */
export const configs: Readonly<Record<string, { config: ModelConfig; targets: readonly string[] }>> = {
  mistral: { config: tinyConfig({ model_type: 'mistral', sliding_window: 3 }), targets: everyLinear },
  qwen2: { config: tinyConfig({ model_type: 'qwen2', rope_theta: 1e6 }), targets: everyLinear },
  qwen3: { config: tinyConfig({ model_type: 'qwen3', head_dim: 8 }), targets: everyLinear },
  gemma: { config: tinyConfig({ model_type: 'gemma', ...gemma }), targets: everyLinear },
  gemma2: {
    config: tinyConfig({
      model_type: 'gemma2',
      ...gemma,
      query_pre_attn_scalar: 5,
      attn_logit_softcapping: 2,
      final_logit_softcapping: 3,
      sliding_window: 4,
    }),
    targets: everyLinear,
  },
  gemma3_text: {
    config: tinyConfig({
      model_type: 'gemma3_text',
      ...gemma,
      query_pre_attn_scalar: 7,
      rope_local_base_freq: 100,
      sliding_window: 5,
      sliding_window_pattern: 2,
    }),
    targets: everyLinear,
  },
  gpt2: {
    config: parseModelConfig({
      model_type: 'gpt2',
      vocab_size: 37,
      n_positions: 20,
      n_embd: 24,
      n_layer: 2,
      n_head: 3,
      layer_norm_epsilon: 1e-5,
      activation_function: 'gelu_new',
    }),
    targets: ['attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj'],
  },
};

/** Weights uniform on +-1.7 / sqrt(in), which keeps activations near unit scale; gains around 1 and biases around 0. */
export function randomTensors(config: ModelConfig, seed: number): Map<string, TensorEntry> {
  const random = new SeededRandom(seed);
  const norms = [...config.sublayers.flatMap(normLayers), config.finalNorm];
  const aroundOne = new Set(norms.filter(({ hasUnitOffset }) => !hasUnitOffset).map(({ name }) => `${name}.weight`));
  return new Map(
    [...tensorShapes(config)].map(([name, shape]): [string, TensorEntry] => {
      const size = shape.reduce((product, n) => product * n, 1);
      const spread = shape.length === 1 ? 0.3 : 1.7 / Math.sqrt(shape[1]!);
      const middle = aroundOne.has(name) ? 1 : 0;
      const values = Float32Array.from({ length: size }, () => middle + spread * (random.nextUnit() * 2 - 1));
      return [name, { dtype: 'F32', shape, values }];
    }),
  );
}

/** A flat B that is far enough from zero to make every gradient path count. */
export function randomB(config: ModelConfig, spec: LoraSpec, seed: number): Float32Array {
  const random = new SeededRandom(seed);
  const size = adaptedModules(config, spec).reduce((sum, { out, rank }) => sum + out * rank, 0);
  return Float32Array.from({ length: size }, () => random.nextUnit() * 0.4 - 0.2);
}

/** What a flat B beside the published A adds to whole weights, as a dense merge sums it. */
export function updateOfB(config: ModelConfig, spec: LoraSpec, b: Float32Array): Float32Array {
  const { modules, start } = publishedFactors(config, spec);
  const delta = new Float32Array(start.length);
  delta.set(b);
  return denseRule(modules, start).term(delta);
}

/** One row a length, with the first third of its labels masked as a prompt would be. */
export function randomExamples(config: ModelConfig, lengths: readonly number[], seed: number): EncodedExample[] {
  const random = new SeededRandom(seed);
  return lengths.map((length, row) => {
    const tokens = Int32Array.from({ length: length + 1 }, () => random.nextInt(config.vocabSize));
    const labels = tokens.slice(1).fill(NOT_SCORED, 0, Math.floor(length / 3));
    return { ids: tokens.slice(0, -1), labels, domain: row % 2 === 0 ? 'even' : 'odd' };
  });
}
