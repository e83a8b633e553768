import { describe, expect, it } from 'vitest';
import { checkTensors, type ModelConfig } from '../architecture/index.ts';
import { readSafetensors, type TensorEntry, writeSafetensors } from '../checkpoint/index.ts';
import { type Packing, packTensors, readWeights } from '../packing/index.ts';
import { referenceLogits } from '../reference/index.ts';
import { fixtureBytes, loadFixture, randomB, randomTensors, relativeError, tinyConfig } from '../testing/index.ts';
import { type ImportedAdapter, mergedCheckpoint, publishedA } from './index.ts';

const ranges = (file: Uint8Array) => async (offset: number, length: number) => file.slice(offset, offset + length);

async function merged(model: ModelConfig, adapter: ImportedAdapter, file: Uint8Array) {
  const chunks: Uint8Array[] = [];
  for await (const chunk of mergedCheckpoint(model, adapter, ranges(file), file.byteLength)) chunks.push(chunk);
  return readSafetensors(new Uint8Array(Buffer.concat(chunks)));
}

/** Difference of logits of base with adapter and of the merged checkpoint, on one row. */
function logitsError(
  config: ModelConfig,
  base: ReadonlyMap<string, TensorEntry>,
  adapter: ImportedAdapter,
  found: ReadonlyMap<string, TensorEntry>,
  ids: Int32Array,
): number {
  const expected = referenceLogits({ config, tensors: base }, adapter, ids);
  return relativeError(referenceLogits({ config, tensors: found }, null, ids), expected);
}

describe('mergedCheckpoint', () => {
  // One of each stored type; GPT-2 both as transformers 5 writes it and with the names of its first files.
  it.each([
    ['llama-gqa-tied', 'adapter-patterns', 'F32', 1e-6],
    ['gpt2', 'adapter-patterns', 'F32', 1e-6],
    ['gpt2/published', 'adapter', 'F32', 1e-6],
    ['qwen2', 'adapter', 'F16', 2 ** -10],
    ['qwen3', 'adapter', 'BF16', 2 ** -6],
  ])('%s with %s: names and %s as in the base, and the logits of both', async (base, which, dtype, tolerance) => {
    const [name] = base.split('/');
    const { config, adapter, ids } = loadFixture(name!, which);
    const file = fixtureBytes(`${base}/model.safetensors`);
    const found = await merged(config, adapter, file);
    const tensors = readSafetensors(file);
    const read = new Set(checkTensors(config, tensors).values());
    const kept = [...tensors].filter(([, entry]) => read.has(entry)).map(([tensor]) => tensor);
    expect([...found.keys()]).toEqual(kept);
    expect(new Set([...found.values()].map((entry) => entry.dtype))).toEqual(new Set([dtype]));
    const error = logitsError(config, tensors, adapter, found, ids[0]!);
    expect(error).toBeLessThan(tolerance);
  });

  it.each<Packing>(['f16', 'int8', 'int4'])('merges into what volunteers trained on: %s', async (packing) => {
    const config = tinyConfig();
    const sources = [...randomTensors(config, 5)].map(([name, { shape, values }]) => {
      const stored = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      return [name, { dtype: 'F32' as const, shape, read: ranges(stored) }] as const;
    });
    const chunks: Uint8Array[] = [];
    for await (const chunk of packTensors(new Map(sources), packing).chunks) chunks.push(chunk.slice());
    const file = new Uint8Array(Buffer.concat(chunks));
    const spec = { rank: 3, alpha: 6, targetModules: ['q_proj', 'up_proj'], seed: 2 };
    const adapter = { spec, a: publishedA(config, spec), values: randomB(config, spec, 3) };
    const found = await merged(config, adapter, file);
    const matrix = found.get('model.layers.0.mlp.up_proj.weight')!;
    expect([matrix.dtype, matrix.shape]).toEqual(['F16', [44, 24]]);
    expect(found.get('model.norm.weight')!.dtype).toBe('F32');
    const base = await readWeights(ranges(file), file.byteLength);
    const row = Int32Array.from([1, 5, 9, 2]);
    expect(logitsError(config, base, adapter, found, row)).toBeLessThan(2 ** -10);
  });

  it('refuses a sum that the stored type does not reach, by name', async () => {
    const config = tinyConfig();
    const spec = { rank: 1, alpha: 1, targetModules: ['o_proj'], seed: 2 };
    const adapter = { spec, a: publishedA(config, spec), values: randomB(config, spec, 3).fill(3e38) };
    const tensors = [...randomTensors(config, 5)].map(([name, { shape, values }]) => ({ name, shape, values }));
    adapter.a[0]!.fill(3e38);
    await expect(merged(config, adapter, writeSafetensors(tensors))).rejects.toThrow(/layers\.0\.self_attn\.o_proj/);
  });
});
