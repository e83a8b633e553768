import { describe, expect, it } from 'vitest';
import { CheckpointError, parseModelConfig } from './index.ts';

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
  eos_token_id: 2,
  torch_dtype: 'float32',
};

describe('parseModelConfig', () => {
  it('reads a Llama config', () => {
    expect(parseModelConfig(llama)).toEqual({
      modelType: 'llama',
      vocabSize: 512,
      hiddenSize: 64,
      intermediateSize: 172,
      layers: 5,
      heads: 8,
      kvHeads: 4,
      headDim: 8,
      rmsNormEps: 1e-5,
      ropeTheta: 10000,
      maxPositions: 256,
      tieWordEmbeddings: true,
      bosId: 1,
      eosId: 2,
    });
  });

  it('takes the defaults that Hugging Face takes', () => {
    const { num_key_value_heads: _k, rope_theta: _r, tie_word_embeddings: _t, ...rest } = llama;
    expect(parseModelConfig(rest)).toMatchObject({ kvHeads: 8, ropeTheta: 10000, tieWordEmbeddings: false });
    const newer = { ...rest, rope_parameters: { rope_type: 'default', rope_theta: 500000 } };
    expect(parseModelConfig(newer)).toMatchObject({ ropeTheta: 500000 });
  });

  it.each([
    ['model_type', 'gpt2'],
    ['rope_scaling', { type: 'linear', factor: 2 }],
    ['rope_parameters', { rope_type: 'llama3', factor: 8 }],
    ['hidden_act', 'gelu'],
    ['attention_bias', true],
    ['mlp_bias', true],
    ['sliding_window', 4096],
    ['rope_interleaved', true],
    ['quantization_config', { bits: 4 }],
    ['partial_rotary_factor', 0.5],
    ['some_new_field', 1],
    ['vocab_size', 0],
    ['rms_norm_eps', 'small'],
    ['eos_token_id', [2, 3]],
  ])('refuses %s = %j by name', (field, value) => {
    const parse = () => parseModelConfig({ ...llama, [field]: value });
    expect(parse).toThrow(CheckpointError);
    expect(parse).toThrow(new RegExp(`config\\.json: ${field}`));
  });

  it.each([
    [{ num_key_value_heads: 3 }, /num_key_value_heads/],
    [{ head_dim: 7 }, /head_dim/],
    [{ hidden_size: 65 }, /head_dim/],
    [{ bos_token_id: 512 }, /bos_token_id/],
  ])('refuses sizes that do not fit together: %j', (change, problem) => {
    expect(() => parseModelConfig({ ...llama, ...change })).toThrow(problem);
  });

  it('names a missing field, and refuses what is no object', () => {
    const { hidden_size: _, ...rest } = llama;
    expect(() => parseModelConfig(rest)).toThrow('config.json: hidden_size is missing.');
    for (const value of [null, 1, 'x', []]) expect(() => parseModelConfig(value)).toThrow(CheckpointError);
  });
});
