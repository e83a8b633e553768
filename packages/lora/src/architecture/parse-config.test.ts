import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../checkpoint/index.ts';
import { type Attention, type ModelConfig, parameterCount, parseModelConfig } from './index.ts';

const llama = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 512,
  hidden_size: 64,
  intermediate_size: 172,
  num_hidden_layers: 5,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: 'silu',
  tie_word_embeddings: true,
  attention_bias: false,
  bos_token_id: 1,
  eos_token_id: [2, 3],
  torch_dtype: 'float32',
};
const gemma2 = {
  ...llama,
  model_type: 'gemma2',
  hidden_act: 'gelu_pytorch_tanh',
  head_dim: 16,
  sliding_window: 32,
  attn_logit_softcapping: 50,
  final_logit_softcapping: 30,
  query_pre_attn_scalar: 4,
};
const qwen = { ...llama, model_type: 'qwen3' };
const gpt2 = {
  model_type: 'gpt2',
  vocab_size: 50257,
  n_ctx: 1024,
  n_positions: 1024,
  n_embd: 768,
  n_layer: 12,
  n_head: 12,
  layer_norm_epsilon: 1e-5,
  activation_function: 'gelu_new',
  attn_pdrop: 0.1,
  task_specific_params: {},
};

const attentions = (config: ModelConfig): Attention[] =>
  config.sublayers.map(({ body }) => body).filter((body) => body.kind === 'attention');
const rotaryWith = (changes: object) => attentions(parseModelConfig({ ...llama, ...changes }))[0]!.rotary;

describe('parseModelConfig', () => {
  it('reads a Llama config', () => {
    const config = parseModelConfig(llama);
    const { sublayers, ...others } = config;
    expect(others).toEqual({
      modelType: 'llama',
      vocabSize: 512,
      hiddenSize: 64,
      layers: 5,
      maxPositions: 256,
      embedding: { name: 'model.embed_tokens', scale: 1, positions: null },
      finalNorm: { name: 'model.norm', kind: 'rms', size: 64, eps: 1e-5, hasUnitOffset: false },
      head: null,
      logitSoftCap: null,
    });
    expect(sublayers).toHaveLength(10);
    expect(sublayers[9]!.body).toEqual({
      kind: 'feed-forward',
      gate: { name: 'model.layers.4.mlp.gate_proj', in: 64, out: 172, hasBias: false, isConv1d: false },
      up: { name: 'model.layers.4.mlp.up_proj', in: 64, out: 172, hasBias: false, isConv1d: false },
      down: { name: 'model.layers.4.mlp.down_proj', in: 172, out: 64, hasBias: false, isConv1d: false },
      activation: 'silu',
    });
    expect(attentions(config)[0]).toMatchObject({ heads: 8, kvHeads: 4, headDim: 8, scale: 1 / Math.sqrt(8) });
  });

  it('takes the defaults that Hugging Face takes', () => {
    const { num_key_value_heads: _k, rope_theta: _r, tie_word_embeddings: _t, ...rest } = llama;
    const config = parseModelConfig(rest);
    expect(config.head).toBe('lm_head');
    expect(attentions(config)[0]).toMatchObject({ kvHeads: 8, rotary: { theta: 10000, scaling: { type: 'default' } } });
  });

  it('reads how positions are stretched, in the old fields and the new', () => {
    const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };
    expect(rotaryWith({ rope_scaling: { type: 'linear', factor: 2 } })?.scaling).toEqual({ type: 'linear', factor: 2 });
    expect(rotaryWith({ rope_scaling: { rope_type: 'llama3', ...llama3 } })?.scaling).toMatchObject({ factor: 8 });
    expect(rotaryWith({ rope_parameters: { rope_type: 'default', rope_theta: 500000 } })?.theta).toBe(500000);
  });

  it('gives Gemma 2 its caps, its norms, and a window in every other layer', () => {
    const config = parseModelConfig(gemma2);
    expect(config).toMatchObject({ logitSoftCap: 30, embedding: { scale: 8 } });
    expect(attentions(config).map(({ window }) => window)).toEqual([32, null, 32, null, 32]);
    expect(attentions(config)[0]).toMatchObject({ softCap: 50, scale: 0.5 });
    expect(config.sublayers[0]!.postNorm?.name).toBe('model.layers.0.post_attention_layernorm');
  });

  it('gives Gemma 3 another rotary base in windowed layers', () => {
    const { attn_logit_softcapping: _a, final_logit_softcapping: _f, ...others } = gemma2;
    const types = ['full_attention', 'sliding_attention', 'sliding_attention', 'full_attention', 'sliding_attention'];
    const config = parseModelConfig({ ...others, model_type: 'gemma3_text', rope_theta: 1e6, layer_types: types });
    expect(attentions(config).map(({ rotary }) => rotary?.theta)).toEqual([1e6, 1e4, 1e4, 1e6, 1e4]);
    expect(attentions(config)[1]).toMatchObject({ window: 32, queryNorm: { size: 16, hasUnitOffset: true } });
  });

  it('reads GPT-2, with the number of parameters that its paper says', () => {
    const config = parseModelConfig(gpt2);
    expect(config.sublayers[0]!.body).toMatchObject({
      projections: [{ name: 'transformer.h.0.attn.c_attn', in: 768, out: 2304, hasBias: true, isConv1d: true }],
      rotary: null,
    });
    expect(parameterCount(config)).toBe(124_439_808);
  });

  it.each([
    ['model_type', 'mamba'],
    ['rope_scaling', { type: 'yarn', factor: 2 }],
    ['rope_parameters', { rope_type: 'llama3', factor: 8 }],
    ['hidden_act', 'gelu'],
    ['sliding_window', 4096],
    ['rope_interleaved', true],
    ['quantization_config', { bits: 4 }],
    ['partial_rotary_factor', 0.5],
    ['some_new_field', 1],
    ['vocab_size', 0],
    ['rms_norm_eps', 'small'],
  ])('refuses %s = %j of a Llama by name', (field, value) => {
    const parse = () => parseModelConfig({ ...llama, [field]: value });
    expect(parse).toThrow(CheckpointError);
    expect(parse).toThrow(new RegExp(`config\\.json: ${field}`));
  });

  it.each([
    [{ ...qwen, use_sliding_window: true }, /use_sliding_window/],
    [{ ...qwen, layer_types: ['sliding_attention'] }, /layer_types/],
    [{ ...gemma2, hidden_activation: 'silu' }, /hidden_activation/],
    [{ ...gemma2, layer_types: ['full_attention'] }, /layer_types names 1 layers of 5/],
    [{ ...gpt2, activation_function: 'relu' }, /activation_function/],
    [{ ...gpt2, scale_attn_by_inverse_layer_idx: true }, /scale_attn_by_inverse_layer_idx/],
    [{ ...gpt2, n_head: 7 }, /n_head/],
  ])('refuses what another architecture does not compute: %j', (json, problem) => {
    expect(() => parseModelConfig(json)).toThrow(CheckpointError);
    expect(() => parseModelConfig(json)).toThrow(problem);
  });

  it.each([
    [{ num_key_value_heads: 3 }, /num_key_value_heads/],
    [{ head_dim: 7 }, /head_dim/],
    [{ hidden_size: 65 }, /head_dim/],
  ])('refuses sizes that do not fit together: %j', (change, problem) => {
    expect(() => parseModelConfig({ ...llama, ...change })).toThrow(problem);
  });

  it('names a missing field, and refuses what is no object', () => {
    const { hidden_size: _, ...rest } = llama;
    expect(() => parseModelConfig(rest)).toThrow('config.json: hidden_size is missing.');
    for (const value of [null, 1, 'x', []]) expect(() => parseModelConfig(value)).toThrow(CheckpointError);
  });
});
