import { describe, expect, it } from 'vitest';
import { configs, randomTensors, tinyConfig } from '../testing/index.ts';
import { checkTensors, tensorShapes } from './index.ts';

describe('checkTensors', () => {
  const config = tinyConfig();

  it('accepts exactly the tensors of the config', () => {
    expect(() => checkTensors(config, randomTensors(config, 1))).not.toThrow();
    const untied = tinyConfig({ tie_word_embeddings: false });
    expect(() => checkTensors(untied, randomTensors(untied, 1))).not.toThrow();
  });

  it('names a missing tensor', () => {
    const tensors = randomTensors(config, 1);
    tensors.delete('model.layers.1.mlp.up_proj.weight');
    expect(() => checkTensors(config, tensors)).toThrow('no tensor model.layers.1.mlp.up_proj.weight');
  });

  it('names a tensor that has no place, such as the norm of a layer too many', () => {
    const tensors = randomTensors(tinyConfig({ num_hidden_layers: 3 }), 1);
    expect(() => checkTensors(config, tensors)).toThrow('Tensor model.layers.2.input_layernorm.weight');
  });

  it('passes over what no forward pass reads: the copied head of a tied model, buffers', () => {
    const tensors = randomTensors(tinyConfig({ tie_word_embeddings: false }), 1);
    tensors.set('model.layers.0.self_attn.rotary_emb.inv_freq', {
      dtype: 'F32',
      shape: [3],
      values: new Float32Array(3),
    });
    expect([...checkTensors(config, tensors).keys()].toSorted()).toEqual([...tensorShapes(config).keys()].toSorted());
  });

  it('knows the tensors of GPT-2 with and without their prefix', () => {
    const { config: gpt2 } = configs.gpt2!;
    const tensors = randomTensors(gpt2, 1);
    const bare = new Map([...tensors].map(([name, entry]) => [name.replace('transformer.', ''), entry]));
    bare.set('h.0.attn.bias', { dtype: 'F32', shape: [1, 1, 20, 20], values: new Float32Array(400) });
    expect(checkTensors(gpt2, bare)).toEqual(checkTensors(gpt2, tensors));
    expect(tensorShapes(gpt2).get('transformer.h.0.attn.c_attn.weight')).toEqual([24, 72]);
  });

  it('names a tensor of another shape, and both shapes', () => {
    const tensors = randomTensors(config, 1);
    tensors.get('model.norm.weight')!.shape = [25];
    expect(() => checkTensors(config, tensors)).toThrow('model.norm.weight has shape [25]; config.json asks for [24]');
  });
});
