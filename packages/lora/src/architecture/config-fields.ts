/**
 * Reading `config.json`: what the architectures' files share. Every field that would change the arithmetic is either
 * understood or refused by name; bookkeeping fields are let through.
 */
import * as z from 'zod';
import { CheckpointError } from '../checkpoint/index.ts';
import type { Rotary } from './model-config.ts';

/** A size. */
export const length = z.int().min(1).max(1_000_000);
/** The epsilon of a norm. */
export const epsilon = z.number().positive().max(1);

/** The sizes that Llama, Mistral, Qwen and Gemma name alike. */
export const sizeFields = {
  vocab_size: length,
  hidden_size: length,
  intermediate_size: length,
  num_hidden_layers: length,
  num_attention_heads: length,
  num_key_value_heads: length.nullish(),
  max_position_embeddings: length,
};

/** Absent, null or the value that changes nothing. */
export function neutral<T extends string | number | boolean>(value: T) {
  return z.literal(value).nullish();
}

const ropeSchema = z.discriminatedUnion('rope_type', [
  z.strictObject({ rope_type: z.literal('default'), rope_theta: z.number().positive().optional() }),
  z.strictObject({
    rope_type: z.literal('linear'),
    rope_theta: z.number().positive().optional(),
    factor: z.number().positive(),
  }),
  z.strictObject({
    rope_type: z.literal('llama3'),
    rope_theta: z.number().positive().optional(),
    factor: z.number().positive(),
    low_freq_factor: z.number().positive(),
    high_freq_factor: z.number().positive(),
    original_max_position_embeddings: length,
  }),
]);

/** `rope_parameters` (transformers 5) or `rope_scaling` (before): old files say `type`, and the default may be unsaid. */
export const rope = z.preprocess((value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { type, ...others } = value as Record<string, unknown>;
  return { ...others, rope_type: Reflect.get(value, 'rope_type') ?? type ?? 'default' };
}, ropeSchema);

/** The three fields that say how positions turn. */
export const ropeFields = {
  rope_theta: z.number().positive().nullish(),
  rope_scaling: rope.nullish(),
  rope_parameters: rope.nullish(),
  rope_interleaved: neutral(false),
  partial_rotary_factor: neutral(1),
};

type Rope = z.infer<typeof rope>;

/** The rotary positions of a config: the newer field wins, as in transformers. */
export function rotaryOf(
  headDim: number,
  fields: {
    rope_theta?: number | null | undefined;
    rope_scaling?: Rope | null | undefined;
    rope_parameters?: Rope | null | undefined;
  },
  defaultTheta = 10_000,
): Rotary {
  const parameters = fields.rope_parameters ?? fields.rope_scaling ?? { rope_type: 'default' };
  assertRule(headDim % 2 === 0, `head_dim is ${headDim}; rotary positions need an even whole number`);
  return {
    headDim,
    theta: parameters.rope_theta ?? fields.rope_theta ?? defaultTheta,
    scaling: rotaryScaling(parameters),
  };
}

function rotaryScaling(parameters: Rope): Rotary['scaling'] {
  switch (parameters.rope_type) {
    case 'default':
      return { type: 'default' };
    case 'linear':
      return { type: 'linear', factor: parameters.factor };
    case 'llama3':
      return {
        type: 'llama3',
        factor: parameters.factor,
        lowFrequencyFactor: parameters.low_freq_factor,
        highFrequencyFactor: parameters.high_freq_factor,
        originalMaxPositions: parameters.original_max_position_embeddings,
      };
  }
}

/** Fields that say how a checkpoint came about or how it is sampled from, never what a forward pass computes. */
const bookkeeping = new Set([
  ...['_name_or_path', 'architectures', 'transformers_version', 'torch_dtype', 'dtype', 'use_cache', 'is_llama_config'],
  ...['initializer_range', 'attention_dropout', 'pretraining_tp', 'transformers.js_config', 'task_specific_params'],
  ...[
    'bos_token_id',
    'eos_token_id',
    'pad_token_id',
    'unk_token_id',
    'id2label',
    'label2id',
    '_num_labels',
    'problem_type',
  ],
  ...['attn_implementation', '_attn_implementation', 'return_dict', 'output_hidden_states', 'output_attentions'],
  ...['is_encoder_decoder', 'chunk_size_feed_forward', 'cache_implementation', 'auto_map', 'hidden_dropout'],
  ...['max_window_layers', 'unsloth_fixed', 'unsloth_version', 'mlp_dropout'],
]);

/** The fields of `config.json` without their presence rules. */
export type ConfigJson = Readonly<Record<string, unknown>>;

/**
 * Reads the fields that a schema knows.
 * @throws CheckpointError `malformed` for a missing or ill-typed field, `unsupported` for one that changes the arithmetic
 */
export function readFields<Shape extends z.ZodRawShape>(json: ConfigJson, schema: z.ZodObject<Shape>) {
  const unknown = Object.keys(json).find(
    (key) => !(key in schema.shape) && key !== 'model_type' && !bookkeeping.has(key),
  );
  if (unknown !== undefined) {
    throw new CheckpointError(
      'unsupported',
      `config.json: ${unknown} is not known here and might change what the model computes; remove it if it does not.`,
    );
  }
  const result = schema.safeParse(json);
  if (!result.success) throw refusalOf(json, result.error);
  return result.data;
}

function refusalOf(json: ConfigJson, error: z.ZodError): CheckpointError {
  const issue = error.issues[0];
  const field = String(issue?.path[0] ?? 'config.json');
  const value = json[field];
  if (value === undefined) return new CheckpointError('malformed', `config.json: ${field} is missing.`);
  const shown = JSON.stringify(value);
  return new CheckpointError(
    'unsupported',
    `config.json: ${field} is ${shown}, which this model code does not compute (${issue?.message ?? 'not supported'}).`,
  );
}

/** @throws CheckpointError `malformed` with the broken rule */
export function assertRule(holds: boolean, rule: string): void {
  if (!holds) throw new CheckpointError('malformed', `config.json: ${rule}.`);
}
