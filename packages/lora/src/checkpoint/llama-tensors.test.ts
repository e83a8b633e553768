import { describe, expect, it } from 'vitest';
import { randomTensors, tinyConfig } from '../testing/index.ts';
import { checkLlamaTensors } from './index.ts';

describe('checkLlamaTensors', () => {
  const config = tinyConfig();

  it('accepts exactly the tensors of the config', () => {
    expect(() => checkLlamaTensors(config, randomTensors(config, 1))).not.toThrow();
    const untied = tinyConfig({ tieWordEmbeddings: false });
    expect(() => checkLlamaTensors(untied, randomTensors(untied, 1))).not.toThrow();
  });

  it('names a missing tensor', () => {
    const tensors = randomTensors(config, 1);
    tensors.delete('model.layers.1.mlp.up_proj.weight');
    expect(() => checkLlamaTensors(config, tensors)).toThrow('no tensor model.layers.1.mlp.up_proj.weight');
  });

  it('names a tensor that has no place, such as the head of a tied model', () => {
    const tensors = randomTensors(tinyConfig({ tieWordEmbeddings: false }), 1);
    expect(() => checkLlamaTensors(config, tensors)).toThrow('Tensor lm_head.weight');
  });

  it('names a tensor of another shape, and both shapes', () => {
    const tensors = randomTensors(config, 1);
    tensors.get('model.norm.weight')!.shape = [25];
    expect(() => checkLlamaTensors(config, tensors)).toThrow(
      'model.norm.weight has shape [25]; config.json asks for [24]',
    );
  });
});
