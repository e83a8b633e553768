/** Reading Hugging Face folders: single files and indexed shards, and every way in which one can be wrong. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseModelConfig, tensorShapes } from '@oneround/lora/architecture';
import { bytesOf, encodeSafetensorsHeader, readSafetensors, writeSafetensors } from '@oneround/lora/checkpoint';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCheckpoint } from './index.ts';

const tiny = fileURLToPath(new URL('../../../../models/tiny/', import.meta.url));
const tensors = [...readSafetensors(readFileSync(join(tiny, 'model.safetensors')))].map(
  ([name, { shape, values }]) => ({
    name,
    shape,
    values,
  }),
);
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oneround-checkpoint-'));
  writeFileSync(join(folder, 'config.json'), readFileSync(join(tiny, 'config.json')));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, part: typeof tensors): void {
  writeFileSync(join(folder, name), writeSafetensors(part));
}

/** Two shards and their index; `changes` is laid over the index's map. */
function writeShards(changes: Record<string, string> = {}): void {
  const parts = { 'model-1.safetensors': tensors.slice(0, 20), 'model-2.safetensors': tensors.slice(20) };
  for (const [name, part] of Object.entries(parts)) write(name, part);
  const map = Object.entries(parts).flatMap(([file, part]) => part.map(({ name }) => [name, file]));
  const index = { metadata: {}, weight_map: { ...Object.fromEntries(map), ...changes } };
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
}

describe('openCheckpoint', () => {
  it.each([
    ['model.safetensors', () => write('model.safetensors', tensors)],
    ['one file of another name', () => write('weights.safetensors', tensors)],
    ['indexed shards', () => writeShards()],
  ])('reads %s, in the order of the forward pass', async (_, make) => {
    make();
    const checkpoint = await openCheckpoint(folder);
    const [first, last] = [[...checkpoint.tensors.keys()][0], [...checkpoint.tensors.keys()].at(-1)];
    expect([first, last]).toEqual(['model.embed_tokens.weight', 'model.norm.weight']);
    for (const { name, values } of tensors) {
      const bytes = await checkpoint.tensors.get(name)!.read(4, 8);
      expect(new Float32Array(bytes.buffer)).toEqual(values.slice(1, 3));
    }
    await checkpoint.close();
  });

  it('gives GPT-2 its canonical names, without masks and a copied head', async () => {
    const config = { model_type: 'gpt2', vocab_size: 11, n_positions: 7, n_embd: 6, n_layer: 1, n_head: 2 };
    const shapes = tensorShapes(parseModelConfig(config));
    const stored = [
      ...[...shapes].map(([name, shape]) => ({
        name: name.slice('transformer.'.length),
        dtype: 'BF16' as const,
        shape,
      })),
      { name: 'h.0.attn.bias', dtype: 'BOOL' as const, shape: [1, 1, 7, 7] },
      { name: 'lm_head.weight', dtype: 'BF16' as const, shape: [11, 6] },
    ];
    const bytes = stored.reduce((sum, { dtype, shape }) => sum + bytesOf(dtype, shape), 0);
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    writeFileSync(
      join(folder, 'model.safetensors'),
      Buffer.concat([encodeSafetensorsHeader(stored), new Uint8Array(bytes)]),
    );
    const checkpoint = await openCheckpoint(folder);
    expect([...checkpoint.tensors.keys()]).toEqual([...shapes.keys()]);
    expect(checkpoint.tensors.get('transformer.h.0.attn.c_attn.weight')).toMatchObject({
      dtype: 'BF16',
      shape: [6, 18],
    });
    await checkpoint.close();
  });

  it.each<[string, () => void, RegExp]>([
    ['no config', () => rmSync(join(folder, 'config.json')), /has no config\.json/],
    ['no weights', () => undefined, /has no \*\.safetensors; convert its weights/],
    ['a config that is no JSON', () => writeFileSync(join(folder, 'config.json'), '{'), /config\.json is not JSON/],
    [
      'weights that nothing orders',
      () => (write('a.safetensors', tensors), write('b.safetensors', tensors)),
      /has 2 \*\.safetensors files and no model\.safetensors\.index\.json/,
    ],
    [
      'a truncated file',
      () => (write('model.safetensors', tensors), truncateSync(join(folder, 'model.safetensors'), 1_000_000)),
      /^model\.safetensors: Not a usable safetensors file: tensor .* ends at byte/,
    ],
    [
      'an index that names a missing shard',
      () => (writeShards(), rmSync(join(folder, 'model-2.safetensors'))),
      /index\.json names model-2\.safetensors, which is not in/,
    ],
    [
      'an index that is wrong about a shard',
      () => writeShards({ 'model.norm.weight': 'model-1.safetensors' }),
      /says that model-1\.safetensors holds model\.norm\.weight; it does not/,
    ],
    [
      'an index that leads out of the folder',
      () => writeShards({ 'model.norm.weight': '../model-2.safetensors' }),
      /names "\.\.\/model-2\.safetensors", which is no file beside it/,
    ],
    [
      'an index without a map',
      () => writeFileSync(join(folder, 'model.safetensors.index.json'), '{}'),
      /has no weight_map/,
    ],
    [
      'a tensor in two files',
      () => (writeShards(), write('model-2.safetensors', tensors.slice(19))),
      /model-2\.safetensors: tensor .* is in two files/,
    ],
    ['a missing tensor', () => write('model.safetensors', tensors.slice(1)), /has no tensor/],
    [
      'a tensor of another shape',
      () =>
        write(
          'model.safetensors',
          tensors.map((each) => (each.name === 'model.norm.weight' ? { ...each, shape: [2, 64] } : each)),
        ),
      /model\.norm\.weight has shape \[2, 64\]; config\.json asks for \[128\]/,
    ],
    [
      'a dtype that holds no weights',
      () => {
        write('model.safetensors', tensors);
        const bytes = readFileSync(join(folder, 'model.safetensors'));
        bytes.write('I32', bytes.indexOf('F32', bytes.indexOf('model.norm.weight')));
        writeFileSync(join(folder, 'model.safetensors'), bytes);
      },
      /model\.norm\.weight has dtype I32; weights are read as F32, F16 or BF16/,
    ],
  ])('refuses %s by name', async (_, make, problem) => {
    make();
    await expect(openCheckpoint(folder)).rejects.toThrow(problem);
  });
});
