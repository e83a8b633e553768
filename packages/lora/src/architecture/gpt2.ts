/**
 * GPT-2 (Radford et al. 2019): learned positions, LayerNorm, one fused query-key-value layer, GELU (tanh form), biases
 * everywhere, linear weights stored `[in, out]`, a tied head.
 */
import * as z from 'zod';
import { assertRule, type ConfigJson, epsilon, length, neutral, readFields } from './config-fields.ts';
import type { LinearLayer, ModelConfig, NormLayer, Sublayer } from './model-config.ts';

const ignored = z.unknown().optional();

const schema = z.object({
  vocab_size: length,
  n_positions: length,
  n_ctx: length.nullish(),
  n_embd: length,
  n_layer: length,
  n_head: length,
  n_inner: length.nullish(),
  layer_norm_epsilon: epsilon.default(1e-5),
  activation_function: z.enum(['gelu_new', 'gelu_pytorch_tanh']).default('gelu_new'),
  scale_attn_weights: neutral(true),
  scale_attn_by_inverse_layer_idx: neutral(false),
  /** Only the order of two exact multiplications. */
  reorder_and_upcast_attn: ignored,
  add_cross_attention: neutral(false),
  tie_word_embeddings: neutral(true),
  ...{ attn_pdrop: ignored, embd_pdrop: ignored, resid_pdrop: ignored, gradient_checkpointing: ignored },
  ...{ summary_activation: ignored, summary_first_dropout: ignored, summary_proj_to_labels: ignored },
  ...{ summary_type: ignored, summary_use_proj: ignored },
});

export function parseGpt2(json: ConfigJson): ModelConfig {
  const fields = readFields(json, schema);
  const {
    vocab_size: vocabSize,
    n_embd: hiddenSize,
    n_layer: layers,
    n_head: heads,
    n_positions: maxPositions,
  } = fields;
  const eps = fields.layer_norm_epsilon;
  assertRule(hiddenSize % heads === 0, `n_head (${heads}) must divide n_embd (${hiddenSize})`);
  const sizes = { hiddenSize, heads, eps, intermediateSize: fields.n_inner ?? 4 * hiddenSize };
  return {
    modelType: 'gpt2',
    vocabSize,
    hiddenSize,
    layers,
    maxPositions,
    embedding: { name: 'transformer.wte', scale: 1, positions: 'transformer.wpe' },
    sublayers: Array.from({ length: layers }, (_, layer) => block(`transformer.h.${layer}`, sizes)).flat(),
    finalNorm: layerNorm('transformer.ln_f', hiddenSize, eps),
    head: null,
    logitSoftCap: null,
  };
}

interface Sizes {
  hiddenSize: number;
  intermediateSize: number;
  heads: number;
  eps: number;
}

function block(prefix: string, { hiddenSize, intermediateSize, heads, eps }: Sizes): Sublayer[] {
  const headDim = hiddenSize / heads;
  return [
    {
      norm: layerNorm(`${prefix}.ln_1`, hiddenSize, eps),
      body: {
        kind: 'attention',
        heads,
        kvHeads: heads,
        headDim,
        projections: [conv1d(`${prefix}.attn.c_attn`, hiddenSize, 3 * hiddenSize)],
        output: conv1d(`${prefix}.attn.c_proj`, hiddenSize, hiddenSize),
        queryNorm: null,
        keyNorm: null,
        rotary: null,
        scale: 1 / Math.sqrt(headDim),
        softCap: null,
        window: null,
      },
      postNorm: null,
    },
    {
      norm: layerNorm(`${prefix}.ln_2`, hiddenSize, eps),
      body: {
        kind: 'feed-forward',
        gate: null,
        up: conv1d(`${prefix}.mlp.c_fc`, hiddenSize, intermediateSize),
        down: conv1d(`${prefix}.mlp.c_proj`, intermediateSize, hiddenSize),
        activation: 'gelu-tanh',
      },
      postNorm: null,
    },
  ];
}

function conv1d(name: string, inputs: number, outputs: number): LinearLayer {
  return { name, in: inputs, out: outputs, hasBias: true, isConv1d: true };
}

function layerNorm(name: string, size: number, eps: number): NormLayer {
  return { name, kind: 'layer', size, eps, hasUnitOffset: false };
}
