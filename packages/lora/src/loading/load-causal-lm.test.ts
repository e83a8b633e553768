import { beforeAll, describe, expect, it } from 'vitest';
import { writeSafetensors, type TensorEntry } from '../checkpoint/index.ts';
import { CausalLm } from '../model/index.ts';
import { packings, packTensors, readWeights } from '../packing/index.ts';
import { selectBackend } from '../tensor/index.ts';
import { configs, installNodeWebgpu, randomTensors, tinyConfig } from '../testing/index.ts';
import { loadCausalLm } from './load-causal-lm.ts';

const rangesOf = (file: Uint8Array) => async (offset: number, length: number) => file.subarray(offset, offset + length);

async function packed(tensors: ReadonlyMap<string, TensorEntry>, packing: (typeof packings)[number]) {
  const sources = [...tensors].map(([name, { shape, values }]) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return [name, { dtype: 'F32' as const, shape, read: rangesOf(bytes) }] as const;
  });
  const parts: Uint8Array[] = [];
  for await (const chunk of packTensors(new Map(sources), packing).chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

/** Every weight of a model as the forward pass reads it. */
async function weightsOf(model: CausalLm): Promise<Record<string, ArrayLike<number>>> {
  const entries = Object.entries(model.weights).map(async ([name, tensor]) => [name, await tensor.data()] as const);
  return Object.fromEntries(await Promise.all(entries));
}

describe.each(['webgpu', 'wasm'] as const)('a model from its file on %s', { timeout: 120_000 }, (backend) => {
  beforeAll(async () => {
    await installNodeWebgpu();
    await selectBackend(backend);
  });

  it.each([
    ...packings.map((packing) => ({ packing, name: 'llama', config: tinyConfig({ tie_word_embeddings: false }) })),
    { packing: 'int8' as const, name: 'gpt2', config: configs.gpt2!.config },
    { packing: 'int4' as const, name: 'gemma2', config: configs.gemma2!.config },
  ])('has the weights of a $name packed as $packing', async ({ packing, config }) => {
    const file = await packed(randomTensors(config, 5), packing);
    const model = await loadCausalLm(config, rangesOf(file), file.byteLength);
    const expected = CausalLm.load(config, await readWeights(rangesOf(file), file.byteLength));
    expect(await weightsOf(model)).toEqual(await weightsOf(expected));
    model.dispose();
    expected.dispose();
  });

  it("has the weights of a checkpoint in another file's order", async () => {
    const config = tinyConfig();
    const tensors = randomTensors(config, 6);
    const file = writeSafetensors([...tensors].map(([name, { shape, values }]) => ({ name, shape, values })));
    const model = await loadCausalLm(config, rangesOf(file), file.byteLength);
    const expected = CausalLm.load(config, tensors);
    expect(await weightsOf(model)).toEqual(await weightsOf(expected));
    model.dispose();
    expected.dispose();
  });

  it('is refused when the file lacks a tensor', async () => {
    const config = tinyConfig();
    const tensors = randomTensors(config, 6);
    tensors.delete('model.norm.weight');
    const file = await packed(tensors, 'f16');
    await expect(loadCausalLm(config, rangesOf(file), file.byteLength)).rejects.toThrow(
      'The checkpoint has no tensor model.norm.weight.',
    );
  });
});
