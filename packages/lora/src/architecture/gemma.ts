/**
 * Gemma (arXiv 2403.08295): embeddings scaled by sqrt(D), norm gains of 1 + weight, GeGLU, a tied head.
 * Gemma 2 (arXiv 2408.00118): each result normed too, soft caps on scores and logits, every other layer sees a window.
 * Gemma 3 (arXiv 2503.19786), its text model: queries and keys normed, five windowed layers of their own rotary base to
 * each layer that sees everything, no soft caps.
 */
import * as z from 'zod';
import {
  assertRule,
  type ConfigJson,
  epsilon,
  length,
  neutral,
  readFields,
  rope,
  ropeFields,
  rotaryOf,
  sizeFields,
} from './config-fields.ts';
import type { ModelConfig } from './model-config.ts';
import { type BlockTraits, decoderSizes, type DecoderSizes, rotaryDecoder } from './rotary-decoder.ts';
import { llamaTraits } from './llama.ts';

const gelu = neutral('gelu_pytorch_tanh');
const softCap = z.number().positive().nullish();

const gemmaFields = {
  ...sizeFields,
  head_dim: length.default(256),
  rms_norm_eps: epsilon.default(1e-6),
  hidden_activation: gelu,
  /** Gemma's own files say `gelu` and have always been run with the tanh approximation; transformers ignores the field. */
  hidden_act: z.enum(['gelu', 'gelu_pytorch_tanh']).nullish(),
  attention_bias: neutral(false),
  tie_word_embeddings: neutral(true),
  use_bidirectional_attention: neutral(false),
  ...ropeFields,
};

const layerTypes = z.array(z.enum(['sliding_attention', 'full_attention'])).nullish();

const gemma2Schema = z.object({
  ...gemmaFields,
  query_pre_attn_scalar: z.number().positive().default(256),
  attn_logit_softcapping: softCap,
  final_logit_softcapping: softCap,
  sliding_window: length.nullish(),
  layer_types: layerTypes,
});

const gemma3Schema = z.object({
  ...gemma2Schema.shape,
  rope_local_base_freq: z.number().positive().nullish(),
  rope_parameters: z.union([z.strictObject({ full_attention: rope, sliding_attention: rope }), rope]).nullish(),
  sliding_window_pattern: length.nullish(),
  _sliding_window_pattern: length.nullish(),
});

function gemmaTraits(rotary: BlockTraits['rotary']): BlockTraits {
  return { ...llamaTraits(rotary), activation: 'gelu-tanh', hasUnitOffset: true };
}

/** Gemma 2 and 3: results are normed, scores scaled by a field of their own and perhaps capped. */
function laterTraits(
  fields: z.infer<typeof gemma2Schema> | z.infer<typeof gemma3Schema>,
  rotary: BlockTraits['rotary'],
  seesWindow: boolean,
): BlockTraits {
  return {
    ...gemmaTraits(rotary),
    hasPostNorms: true,
    scale: 1 / Math.sqrt(fields.query_pre_attn_scalar),
    softCap: fields.attn_logit_softcapping ?? null,
    window: seesWindow ? (fields.sliding_window ?? null) : null,
  };
}

function gemmaEnds({ hiddenSize }: DecoderSizes, logitSoftCap: number | null = null) {
  return { isTied: true, embeddingScale: Math.sqrt(hiddenSize), logitSoftCap };
}

export function parseGemma(json: ConfigJson): ModelConfig {
  const fields = readFields(json, z.object(gemmaFields));
  const sizes = decoderSizes(fields);
  const traits = gemmaTraits(rotaryOf(sizes.headDim, fields));
  return rotaryDecoder('gemma', sizes, () => traits, gemmaEnds(sizes));
}

export function parseGemma2(json: ConfigJson): ModelConfig {
  const fields = readFields(json, gemma2Schema);
  const sizes = decoderSizes(fields);
  const rotary = rotaryOf(sizes.headDim, fields);
  const seesWindow = windowedLayers(fields.layer_types, sizes.layers, 2);
  return rotaryDecoder(
    'gemma2',
    sizes,
    (layer) => laterTraits(fields, rotary, seesWindow[layer]!),
    gemmaEnds(sizes, fields.final_logit_softcapping),
  );
}

export function parseGemma3(json: ConfigJson): ModelConfig {
  const fields = readFields(json, gemma3Schema);
  const sizes = decoderSizes(fields);
  const {
    rope_parameters: parameters,
    rope_local_base_freq: localTheta,
    _sliding_window_pattern: olderPattern,
    ...older
  } = fields;
  const perType = parameters && 'full_attention' in parameters ? parameters : null;
  const wide = rotaryOf(
    sizes.headDim,
    { ...older, rope_parameters: perType?.full_attention ?? (parameters as z.infer<typeof rope> | null | undefined) },
    1_000_000,
  );
  const near = rotaryOf(sizes.headDim, { rope_theta: localTheta, rope_parameters: perType?.sliding_attention });
  const pattern = fields.sliding_window_pattern ?? olderPattern ?? 6;
  const seesWindow = windowedLayers(fields.layer_types, sizes.layers, pattern);
  return rotaryDecoder(
    'gemma3_text',
    sizes,
    (layer) => ({ ...laterTraits(fields, seesWindow[layer] ? near : wide, seesWindow[layer]!), hasQkNorm: true }),
    gemmaEnds(sizes, fields.final_logit_softcapping),
  );
}

/** Which layers see a window: as listed, else all but every `pattern`-th. */
function windowedLayers(types: z.infer<typeof layerTypes>, layers: number, pattern: number): boolean[] {
  assertRule(!types || types.length === layers, `layer_types names ${types?.length} layers of ${layers}`);
  return Array.from({ length: layers }, (_, layer) =>
    types ? types[layer] === 'sliding_attention' : (layer + 1) % pattern !== 0,
  );
}
