/** Qwen2 and 2.5 (arXiv 2407.10671): Llama with biased queries, keys and values. Qwen3 (arXiv 2505.09388): Llama with
 * normed queries and keys instead. */
import * as z from 'zod';
import { type ConfigJson, length, neutral, readFields, rotaryOf } from './config-fields.ts';
import { llamaFields, llamaTraits } from './llama.ts';
import type { ModelConfig } from './model-config.ts';
import { type BlockTraits, decoderSizes, rotaryDecoder } from './rotary-decoder.ts';

const qwenFields = {
  ...llamaFields,
  /** A window size is often present and unused. */
  use_sliding_window: neutral(false),
  sliding_window: length.nullish(),
  use_mrope: neutral(false),
  layer_types: z.array(z.literal('full_attention')).nullish(),
};

const qwen2Schema = z.object(qwenFields);
const qwen3Schema = z.object({ ...qwenFields, attention_bias: z.boolean().nullish() });

export function parseQwen2(json: ConfigJson): ModelConfig {
  const fields = readFields(json, qwen2Schema);
  const sizes = decoderSizes(fields);
  const traits: BlockTraits = { ...llamaTraits(rotaryOf(sizes.headDim, fields)), hasQkvBias: true };
  return rotaryDecoder('qwen2', sizes, () => traits, { isTied: fields.tie_word_embeddings });
}

export function parseQwen3(json: ConfigJson): ModelConfig {
  const fields = readFields(json, qwen3Schema);
  const sizes = decoderSizes({ ...fields, head_dim: fields.head_dim ?? 128 });
  const traits: BlockTraits = {
    ...llamaTraits(rotaryOf(sizes.headDim, fields)),
    hasQkNorm: true,
    hasQkvBias: fields.attention_bias ?? false,
    hasOutputBias: fields.attention_bias ?? false,
  };
  return rotaryDecoder('qwen3', sizes, () => traits, { isTied: fields.tie_word_embeddings });
}
