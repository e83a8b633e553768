/**
 * `config.json` of a Hugging Face model folder, for the Llama architecture.
 * Every field that would change the arithmetic is either understood or refused by name; bookkeeping fields are let through.
 */
import * as z from 'zod';
import { CheckpointError } from './checkpoint-error.ts';

/** The shape of a Llama model: RMSNorm, rotary positions (half rotation), grouped-query attention, SwiGLU, no biases. */
export interface LlamaConfig {
  modelType: 'llama';
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  /** Query heads. */
  heads: number;
  /** Key and value heads; divides `heads`. */
  kvHeads: number;
  /** Channels of one head; even. */
  headDim: number;
  rmsNormEps: number;
  ropeTheta: number;
  maxPositions: number;
  /** True when the head is the transposed embedding. */
  tieWordEmbeddings: boolean;
  bosId: number;
  eosId: number;
}

const length = z.int().min(1).max(1_000_000);
const tokenId = z.int().min(0);

const ropeParametersSchema = z.strictObject({
  rope_type: z.literal('default').optional(),
  rope_theta: z.number().positive().optional(),
});

/** Absent, null or the value that changes nothing. */
function neutral<T extends string | number | boolean>(value: T) {
  return z.literal(value).nullish();
}

const arithmeticSchema = z.object({
  model_type: z.literal('llama'),
  vocab_size: length,
  hidden_size: length,
  intermediate_size: length,
  num_hidden_layers: length,
  num_attention_heads: length,
  num_key_value_heads: length.nullish(),
  head_dim: length.nullish(),
  rms_norm_eps: z.number().positive().max(1),
  rope_theta: z.number().positive().nullish(),
  rope_parameters: ropeParametersSchema.nullish(),
  rope_scaling: z.null().optional(),
  max_position_embeddings: length,
  tie_word_embeddings: z.boolean().default(false),
  bos_token_id: tokenId,
  eos_token_id: tokenId,
  hidden_act: neutral('silu'),
  attention_bias: neutral(false),
  mlp_bias: neutral(false),
  rope_interleaved: neutral(false),
  partial_rotary_factor: neutral(1),
  sliding_window: z.null().optional(),
  use_sliding_window: neutral(false),
  use_qk_norm: neutral(false),
  quantization_config: z.null().optional(),
  final_logit_softcapping: z.null().optional(),
  attn_logit_softcapping: z.null().optional(),
});

/** Fields that say how a checkpoint came about or how it is sampled from, never what a forward pass computes. */
const bookkeeping = new Set([
  ...['_name_or_path', 'architectures', 'transformers_version', 'torch_dtype', 'dtype', 'use_cache', 'is_llama_config'],
  ...['initializer_range', 'attention_dropout', 'pretraining_tp', 'pad_token_id', 'transformers.js_config'],
  ...['attn_implementation', '_attn_implementation', 'return_dict', 'output_hidden_states', 'output_attentions'],
]);

/**
 * Reads `config.json`.
 * @throws CheckpointError `malformed` for a missing or ill-typed field, `unsupported` for one that changes the arithmetic
 */
export function parseModelConfig(json: unknown): LlamaConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new CheckpointError('malformed', 'config.json must be a JSON object.');
  }
  const unknownField = Object.keys(json).find((key) => !(key in arithmeticSchema.shape) && !bookkeeping.has(key));
  if (unknownField !== undefined) {
    throw new CheckpointError(
      'unsupported',
      `config.json: ${unknownField} is not known here and might change what the model computes; remove it if it does not.`,
    );
  }
  const result = arithmeticSchema.safeParse(json);
  if (!result.success) throw refusalOf(json, result.error);
  return checkedConfig(result.data);
}

function refusalOf(json: object, error: z.ZodError): CheckpointError {
  const issue = error.issues[0];
  const field = String(issue?.path[0] ?? 'config.json');
  const value: unknown = Reflect.get(json, field);
  if (value === undefined) return new CheckpointError('malformed', `config.json: ${field} is missing.`);
  const shown = JSON.stringify(value);
  return new CheckpointError(
    'unsupported',
    `config.json: ${field} is ${shown}, which this model code does not compute (${issue?.message ?? 'not supported'}).`,
  );
}

function assertRule(holds: boolean, rule: string): void {
  if (!holds) throw new CheckpointError('malformed', `config.json: ${rule}.`);
}

function checkedConfig(fields: z.infer<typeof arithmeticSchema>): LlamaConfig {
  const heads = fields.num_attention_heads;
  const kvHeads = fields.num_key_value_heads ?? heads;
  const headDim = fields.head_dim ?? fields.hidden_size / heads;
  const ropeTheta = fields.rope_parameters?.rope_theta ?? fields.rope_theta ?? 10_000;
  assertRule(
    Number.isInteger(headDim) && headDim % 2 === 0,
    `head_dim is ${headDim}; rotary positions need an even whole number`,
  );
  assertRule(heads % kvHeads === 0, `num_key_value_heads (${kvHeads}) must divide num_attention_heads (${heads})`);
  assertRule(fields.bos_token_id < fields.vocab_size, `bos_token_id ${fields.bos_token_id} is not in the vocabulary`);
  assertRule(fields.eos_token_id < fields.vocab_size, `eos_token_id ${fields.eos_token_id} is not in the vocabulary`);
  return {
    modelType: 'llama',
    vocabSize: fields.vocab_size,
    hiddenSize: fields.hidden_size,
    intermediateSize: fields.intermediate_size,
    layers: fields.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    rmsNormEps: fields.rms_norm_eps,
    ropeTheta,
    maxPositions: fields.max_position_embeddings,
    tieWordEmbeddings: fields.tie_word_embeddings,
    bosId: fields.bos_token_id,
    eosId: fields.eos_token_id,
  };
}
