/** The bench's problem in this repository's terms: its config, its checkpoint under Hugging Face's names, its rows. */
import type { LoraSpec } from '@oneround/lora/adapter';
import { type ModelConfig, parseModelConfig } from '@oneround/lora/architecture';
import type { TensorEntry } from '@oneround/lora/checkpoint';
import type { EncodedExample } from '@oneround/lora/tokenizer';
import { NORM_EPSILON, ROPE_BASE, type StepShape } from './shape.ts';
import type { AdapterLayers, FrozenLayerName, StepBatch, StepWeights, Weight } from './weights.ts';

const moduleNames: Record<FrozenLayerName, string> = {
  attentionNorm: 'input_layernorm',
  query: 'self_attn.q_proj',
  key: 'self_attn.k_proj',
  value: 'self_attn.v_proj',
  output: 'self_attn.o_proj',
  feedForwardNorm: 'post_attention_layernorm',
  gate: 'mlp.gate_proj',
  up: 'mlp.up_proj',
  down: 'mlp.down_proj',
};

/** LoRA on queries and values. */
export function loraSpec({ rank, alpha }: StepShape): LoraSpec {
  return { rank, alpha, targetModules: ['q_proj', 'v_proj'] };
}

/** Each adapted layer's A, `[rank, in]`, in the order of the forward pass. */
export function matricesA(adapter: AdapterLayers<Weight>): Float32Array[] {
  return adapter.flatMap(({ queryA, valueA }) => [transposed(queryA), transposed(valueA)]);
}

/** Each adapted layer's B, `[out, rank]`, in the order of the forward pass. */
export function matricesB(adapter: AdapterLayers<Weight>): Float32Array[] {
  return adapter.flatMap(({ queryB, valueB }) => [transposed(queryB), transposed(valueB)]);
}

/** One after the other. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

/** The batch's rows; every token is scored. */
export function examplesOf({ batch, sequence }: StepShape, { ids, targets }: StepBatch): EncodedExample[] {
  return Array.from({ length: batch }, (_, row) => {
    const [from, to] = [row * sequence, (row + 1) * sequence];
    return { ids: ids.slice(from, to), labels: targets.slice(from, to), domain: 'bench' };
  });
}

/** A Llama. */
export function modelConfig({ d, layers, heads, ff, vocabulary, sequence }: StepShape): ModelConfig {
  return parseModelConfig({
    model_type: 'llama',
    vocab_size: vocabulary,
    hidden_size: d,
    intermediate_size: ff,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: heads,
    rms_norm_eps: NORM_EPSILON,
    rope_theta: ROPE_BASE,
    max_position_embeddings: sequence,
    tie_word_embeddings: false,
  });
}

/** The weights under Hugging Face's names; its linear layers are `[out, in]`. */
export function checkpoint({ frozen: { embedding, layers, finalNorm, head } }: StepWeights): Map<string, TensorEntry> {
  const entries: [string, TensorEntry][] = [
    ['model.embed_tokens.weight', entry(embedding.values, embedding.shape)],
    ['model.norm.weight', entry(finalNorm.values, finalNorm.shape)],
    ['lm_head.weight', linear(head)],
  ];
  layers.forEach((layer, index) => {
    for (const [name, module] of Object.entries(moduleNames) as [FrozenLayerName, string][]) {
      const weight = layer[name];
      const found = weight.shape.length === 1 ? entry(weight.values, weight.shape) : linear(weight);
      entries.push([`model.layers.${index}.${module}.weight`, found]);
    }
  });
  return new Map(entries);
}

function linear(weight: Weight): TensorEntry {
  return entry(transposed(weight), weight.shape.toReversed());
}

function entry(values: Float32Array, shape: number[]): TensorEntry {
  return { dtype: 'F32', shape, values };
}

function transposed({ shape, values }: Weight): Float32Array {
  const [rows, columns] = shape as [number, number];
  return Float32Array.from({ length: values.length }, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
}
