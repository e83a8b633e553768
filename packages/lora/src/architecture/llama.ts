/**
 * Llama 2 and 3, TinyLlama, SmolLM2 (arXiv 2302.13971, 2407.21783) and Mistral (arXiv 2310.06825): RMSNorm, rotary
 * positions, grouped-query attention, SwiGLU. Mistral adds a window on what a query sees.
 */
import * as z from 'zod';
import {
  type ConfigJson,
  epsilon,
  length,
  neutral,
  readFields,
  ropeFields,
  rotaryOf,
  sizeFields,
} from './config-fields.ts';
import type { ModelConfig } from './model-config.ts';
import { type BlockTraits, decoderSizes, rotaryDecoder } from './rotary-decoder.ts';

/** The fields of `config.json` that Llama, Mistral and Qwen read alike. */
export const llamaFields = {
  ...sizeFields,
  head_dim: length.nullish(),
  rms_norm_eps: epsilon,
  hidden_act: neutral('silu'),
  tie_word_embeddings: z.boolean().default(false),
  ...ropeFields,
};

const llamaSchema = z.object({
  ...llamaFields,
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  sliding_window: z.null().optional(),
});

const mistralSchema = z.object({ ...llamaFields, sliding_window: length.nullish() });

/** What a plain Llama block is; the other architectures say where they differ. */
export function llamaTraits(rotary: BlockTraits['rotary']): BlockTraits {
  return {
    rotary,
    activation: 'silu',
    hasQkvBias: false,
    hasOutputBias: false,
    hasFeedForwardBias: false,
    hasQkNorm: false,
    hasUnitOffset: false,
    hasPostNorms: false,
    scale: 1 / Math.sqrt(rotary.headDim),
    softCap: null,
    window: null,
  };
}

export function parseLlama(json: ConfigJson): ModelConfig {
  const fields = readFields(json, llamaSchema);
  const sizes = decoderSizes(fields);
  const traits: BlockTraits = {
    ...llamaTraits(rotaryOf(sizes.headDim, fields)),
    hasQkvBias: fields.attention_bias ?? false,
    hasOutputBias: fields.attention_bias ?? false,
    hasFeedForwardBias: fields.mlp_bias ?? false,
  };
  return rotaryDecoder('llama', sizes, () => traits, { isTied: fields.tie_word_embeddings });
}

export function parseMistral(json: ConfigJson): ModelConfig {
  const fields = readFields(json, mistralSchema);
  const sizes = decoderSizes(fields);
  const traits = { ...llamaTraits(rotaryOf(sizes.headDim, fields)), window: fields.sliding_window ?? null };
  return rotaryDecoder('mistral', sizes, () => traits, { isTied: fields.tie_word_embeddings });
}
