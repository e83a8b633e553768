/** The block that Llama, Mistral, Qwen and Gemma share: rotary grouped-query attention and a gated feed-forward layer. */
import { assertRule } from './config-fields.ts';
import type { Activation, Attention, LinearLayer, ModelConfig, NormLayer, Rotary, Sublayer } from './model-config.ts';

/** Sizes as every `config.json` of the family gives them. */
export interface DecoderSizes {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  maxPositions: number;
  normEps: number;
}

/** What differs between the architectures, and within Gemma between layers. */
export interface BlockTraits {
  rotary: Rotary;
  activation: Activation;
  hasQkvBias: boolean;
  hasOutputBias: boolean;
  hasFeedForwardBias: boolean;
  /** Queries and keys are normed head by head. */
  hasQkNorm: boolean;
  /** Norm gains are `1 + weight`. */
  hasUnitOffset: boolean;
  /** Each sublayer's result is normed too, before it is added (Gemma 2 and 3). */
  hasPostNorms: boolean;
  scale: number;
  softCap: number | null;
  window: number | null;
}

/** Sizes from the fields that the family shares. @throws CheckpointError `malformed` when they do not fit together */
export function decoderSizes(fields: {
  vocab_size: number;
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads?: number | null | undefined;
  head_dim?: number | null | undefined;
  max_position_embeddings: number;
  rms_norm_eps: number;
}): DecoderSizes {
  const heads = fields.num_attention_heads;
  const kvHeads = fields.num_key_value_heads ?? heads;
  const headDim = fields.head_dim ?? fields.hidden_size / heads;
  assertRule(Number.isInteger(headDim), `head_dim is ${headDim}, which is no whole number`);
  assertRule(heads % kvHeads === 0, `num_key_value_heads (${kvHeads}) must divide num_attention_heads (${heads})`);
  return {
    vocabSize: fields.vocab_size,
    hiddenSize: fields.hidden_size,
    intermediateSize: fields.intermediate_size,
    layers: fields.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    maxPositions: fields.max_position_embeddings,
    normEps: fields.rms_norm_eps,
  };
}

/** The whole model: `traits(layer)` gives each block its own. */
export function rotaryDecoder(
  modelType: string,
  sizes: DecoderSizes,
  traits: (layer: number) => BlockTraits,
  ends: { isTied: boolean; embeddingScale?: number; logitSoftCap?: number | null },
): ModelConfig {
  const { vocabSize, hiddenSize, layers, maxPositions, normEps } = sizes;
  return {
    modelType,
    vocabSize,
    hiddenSize,
    layers,
    maxPositions,
    embedding: { name: 'model.embed_tokens', scale: ends.embeddingScale ?? 1, positions: null },
    sublayers: Array.from({ length: layers }, (_, layer) => block(layer, sizes, traits(layer))).flat(),
    finalNorm: rmsNorm('model.norm', hiddenSize, normEps, traits(0).hasUnitOffset),
    head: ends.isTied ? null : 'lm_head',
    logitSoftCap: ends.logitSoftCap ?? null,
  };
}

function block(layer: number, sizes: DecoderSizes, traits: BlockTraits): Sublayer[] {
  const { hiddenSize, intermediateSize, normEps } = sizes;
  const prefix = `model.layers.${layer}`;
  const norm = (name: string) => rmsNorm(`${prefix}.${name}`, hiddenSize, normEps, traits.hasUnitOffset);
  const feedForward = (name: string, inputs: number, outputs: number) =>
    linear(`${prefix}.mlp.${name}`, inputs, outputs, traits.hasFeedForwardBias);
  const { hasPostNorms, activation } = traits;
  return [
    {
      norm: norm('input_layernorm'),
      body: attention(`${prefix}.self_attn`, sizes, traits),
      postNorm: hasPostNorms ? norm('post_attention_layernorm') : null,
    },
    {
      norm: norm(hasPostNorms ? 'pre_feedforward_layernorm' : 'post_attention_layernorm'),
      body: {
        kind: 'feed-forward',
        gate: feedForward('gate_proj', hiddenSize, intermediateSize),
        up: feedForward('up_proj', hiddenSize, intermediateSize),
        down: feedForward('down_proj', intermediateSize, hiddenSize),
        activation,
      },
      postNorm: hasPostNorms ? norm('post_feedforward_layernorm') : null,
    },
  ];
}

function attention(prefix: string, sizes: DecoderSizes, traits: BlockTraits): Attention {
  const { hiddenSize, heads, kvHeads, headDim, normEps } = sizes;
  const { hasQkvBias, hasOutputBias, hasQkNorm, hasUnitOffset, rotary, scale, softCap, window } = traits;
  const project = (name: string, count: number) => linear(`${prefix}.${name}`, hiddenSize, count * headDim, hasQkvBias);
  const headNorm = (name: string) => (hasQkNorm ? rmsNorm(`${prefix}.${name}`, headDim, normEps, hasUnitOffset) : null);
  return {
    kind: 'attention',
    heads,
    kvHeads,
    headDim,
    projections: [project('q_proj', heads), project('k_proj', kvHeads), project('v_proj', kvHeads)],
    output: linear(`${prefix}.o_proj`, heads * headDim, hiddenSize, hasOutputBias),
    queryNorm: headNorm('q_norm'),
    keyNorm: headNorm('k_norm'),
    rotary,
    scale,
    softCap,
    window,
  };
}

function linear(name: string, inputs: number, outputs: number, hasBias: boolean): LinearLayer {
  return { name, in: inputs, out: outputs, hasBias, isConv1d: false };
}

function rmsNorm(name: string, size: number, eps: number, hasUnitOffset: boolean): NormLayer {
  return { name, kind: 'rms', size, eps, hasUnitOffset };
}
